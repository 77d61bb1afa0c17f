import pytest

from lensnet import registry
from lensnet.errors import UnknownNameError
from lensnet.registry import Registry


def test_unknown_name_lists_the_choices_and_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        registry.backbones.get("resnet81")
    assert 'Did you mean "resnet18"?' in str(caught.value)
    assert "lens_cnn" in str(caught.value)


def test_a_name_is_registered_once():
    table: Registry[int] = Registry("number", provider="lensnet.errors")
    table.register("one", 1)
    table.register("one", 1)
    with pytest.raises(ValueError, match="registered twice"):
        table.register("one", 2)
    table.remove("one")
    table.register("one", 2)
    assert table.get("one") == 2


def test_names_match_a_pattern():
    assert registry.backbones.names("resnet1*") == ["resnet18", "resnet101", "resnet152"]
    assert "lens_finding/simulated" in registry.datasets.names()


@pytest.mark.parametrize("name", registry.backbones.names())
def test_every_backbone_has_its_builder(name):
    spec = registry.backbones.get(name)
    assert spec.name == name
    assert callable(registry.load_object(spec.build))
    assert spec.source
