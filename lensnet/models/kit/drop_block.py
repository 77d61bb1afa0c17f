"""DropBlock in the last stages of any network, whatever its family."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lensnet.models.kit.counting import CountingKit, FeatureMap

if TYPE_CHECKING:
    from lensnet.config.sections import DropBlock
    from lensnet.models.kit.interface import Kit

__all__ = ["drop_block_places", "with_drop_block"]


class _FollowedKit:
    """A kit whose normalisations, and marks of stages, are followed by something.

    Args:
        kit: which supplies the layers.
        follow: from what was normalised or marked, and the layer's name, to what goes on; the third
            argument says which of both it is.
    """

    def __init__(self, kit: Kit, follow: Callable[[Any, str, bool], Any]):
        self._kit = kit
        self._follow = follow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kit, name)

    def norm(self, x: Any, *, name: str, **options: Any) -> Any:
        return self._follow(self._kit.norm(x, name=name, **options), name, False)

    def layer_norm(self, x: Any, *, name: str, **options: Any) -> Any:
        return self._follow(self._kit.layer_norm(x, name=name, **options), name, False)

    def tokens(self, x: Any, *, name: str) -> Any:
        raise ValueError("tokens in a row have no blocks of neighbours; drop_path drops branches")

    def stage(self, x: Any, name: str) -> Any:
        # The mark comes last, for it is where features are taken.
        return self._kit.stage(self._follow(x, name, True), name)

    def replace(self, **options: Any) -> _FollowedKit:
        return _FollowedKit(self._kit.replace(**options), self._follow)

    def with_weight_decay(self, factor: float) -> _FollowedKit:
        return _FollowedKit(self._kit.with_weight_decay(factor), self._follow)


def drop_block_places(
    build: Callable[[Any, Any], Any], kit: Kit, input_shape: tuple[int, int, int], stages: int
) -> set[str]:
    """Returns the names of the layers after which DropBlock comes.

    The paper puts it after every convolution of the last two groups of a ResNet, shortcuts
    included: that is, after every normalisation. In a stage without any it comes at its end.

    Args:
        build: the family's builder, from a kit and an image.
        kit: of the network's symmetry and width.
        input_shape: (height, width, channels).
        stages: how many of the last ones.

    Raises:
        ValueError: the builder cannot be asked without building, as that of a foreign preset.
    """
    by_stage: list[list[str]] = []
    names: list[str] = []

    def note(x: Any, name: str, is_mark: bool) -> Any:
        if is_mark:
            by_stage.append(list(names) or [name])
            names.clear()
        else:
            names.append(name)
        return x

    counting = CountingKit(kit.symmetry, width=kit.width)
    try:
        build(_FollowedKit(counting, note), FeatureMap(*input_shape))
    except (AttributeError, TypeError):
        raise ValueError("its layers are not those of the zoo") from None
    return {name for names in by_stage[-stages:] for name in names}


def with_drop_block(kit: Kit, section: DropBlock, places: set[str]) -> Any:
    """Returns a kit that puts DropBlock where it belongs.

    Args:
        kit: of the network.
        section: how much to drop.
        places: as `drop_block_places` gives them.
    """
    from lensnet.layers.fields.field_drop_block import FieldDropBlock

    # Scalar channels are fields of one.
    group = str(kit.symmetry) if kit.symmetry.kind == "regular" else "c1"

    def follow(x: Any, name: str, is_mark: bool) -> Any:
        if name not in places:
            return x
        return FieldDropBlock(
            group, section.rate, block_size=section.block_size, name=f"{name}.drop_block"
        )(x)

    return _FollowedKit(kit, follow)
