"""What folding knows of a model's graph: what merges, what is shared, what stays as it is."""

import subprocess
import sys
from textwrap import dedent

import keras
import numpy as np
import pytest
from folded import answers, assert_folds, batch_norm, build, chain, images, kinds, lift, relu

from lensnet.layers import (
    CircularMask,
    DropPath,
    FieldLayerNormalization,
    FieldNormalization,
    FieldScale,
    FieldSqueezeExcite,
    GroupAveraged,
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupPool,
    RotationalConv2D,
    SubgroupRestriction,
    SymmetricDownsample2D,
    fold,
)
from lensnet.testing import randomize

# --- what merges ----------------------------------------------------------------------------------


def test_a_normalisation_of_nothing_linear_stays():
    """Before an activation's output, as in ResNetV2."""
    layers = [relu(), FieldNormalization("c4", epsilon=1e-3), GroupConv2D(3, 3, "c4")]
    assert_folds(build(chain(lift("c4"), *layers)), normalizations=1)


@pytest.mark.parametrize("between", [[], [DropPath(0.5)]])
def test_a_convolution_that_others_see_is_left_as_it_is(between):
    def body(x):
        x = chain(lift("c4"), *between)(x)
        return keras.layers.Add()([FieldNormalization("c4")(x), x])

    assert_folds(build(body), normalizations=1)


def test_a_convolution_that_is_also_an_output():
    image = keras.Input((9, 9, 2))
    x = lift("c4")(image)
    model = keras.Model(image, [x, FieldNormalization("c4")(x)])
    assert_folds(model, images(), normalizations=1)


def test_normalisations_in_a_row_all_merge():
    layers = [FieldNormalization("c4", center=False, scale=False), FieldScale("c4")]
    model = build(chain(lift("c4"), *layers, FieldNormalization("c4")))
    assert kinds(assert_folds(model)) == ["Conv2D"]


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.DepthwiseConv2D(3, use_bias=False, depth_multiplier=2),
        keras.layers.SeparableConv2D(4, 3, use_bias=False),
        keras.layers.Dense(4),
    ],
    ids=["convolution", "depthwise", "separable", "dense"],
)
def test_stock_layers_take_their_normalisation_in(layer):
    assert_folds(build(chain(layer, batch_norm())))


def test_a_layer_with_an_activation_takes_nothing_in():
    layer = keras.layers.Conv2D(4, 3, activation="relu")
    assert_folds(build(chain(layer, batch_norm())), normalizations=1)


def test_a_normalisation_of_another_axis_is_copied():
    assert_folds(build(chain(keras.layers.Conv2D(4, 3), batch_norm(axis=1))), normalizations=1)


def test_no_bias_is_added_where_nothing_will_merge():
    layers = [GroupConv2D(3, 3, "c4", lifting=True, use_bias=False), relu()]
    layers += [GroupDepthwiseConv2D(3, "c4", use_bias=False), relu()]
    layers += [keras.layers.Conv2D(4, 1, use_bias=False), relu()]
    folded = assert_folds(build(chain(*layers)))
    assert all(len(layer.weights) <= 1 for layer in folded.layers)


def test_a_normalisation_merges_through_means_and_into_all_that_is_put_together():
    def body(x):
        x = keras.layers.Concatenate()([lift("c4")(x), GroupConv2D(2, 1, "c4", lifting=True)(x)])
        x = keras.layers.AveragePooling2D(2)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return FieldNormalization("c4")(x)

    assert_folds(build(body))


def test_nothing_merges_through_a_padded_mean_or_past_what_is_not_linear():
    def padded(x):
        x = keras.layers.AveragePooling2D(2, padding="same")(lift("c4")(x))
        return FieldNormalization("c4")(x)

    def half(x):
        x = keras.layers.Concatenate()([lift("c4")(x), relu()(lift("c4")(x))])
        return FieldNormalization("c4")(x)

    assert_folds(build(padded), normalizations=1)
    assert_folds(build(half), normalizations=1)


# --- shared and nested parts ----------------------------------------------------------------------


def test_layers_used_twice_stay_shared():
    """A normalisation may not merge into them."""
    convolution, normalization = GroupConv2D(3, 3, "c4", strides=2), FieldNormalization("c4")
    pool, dense = GroupPool("c4"), keras.layers.Dense(3)

    def body(x):
        one, other = (lift("c4")(x) for _ in range(2))
        one, other = (relu()(normalization(convolution(branch))) for branch in (one, other))
        return keras.layers.Subtract()([dense(pool(one)), dense(relu()(pool(other)))])

    folded = assert_folds(build(body), normalizations=1)
    assert kinds(folded).count("Conv2D") == 3
    assert kinds(folded).count("Dense") == 1


def test_a_layer_used_by_itself_and_averaged():
    """A normalisation of the one may not merge into the other."""
    convolution = keras.layers.Conv2D(2, 9)

    def body(x):
        averaged = relu()(relu()(GroupAveraged(convolution, "c4")(x)))  # deeper, so it is first
        return keras.layers.Subtract()([averaged, batch_norm()(convolution(x))])

    folded = assert_folds(build(body), normalizations=1)
    assert kinds(folded).count("Conv2D") == 1


def test_a_layer_used_for_two_orders_of_channels():
    convolution = GroupConv2D(3, 3, "d2")

    def body(x):
        x = relu()(lift("d4")(x))
        return [convolution(SubgroupRestriction("d4", "d2")(x)), convolution(x)]

    image = keras.Input((9, 9, 2))
    folded = assert_folds(keras.Model(image, body(image)), images())
    assert kinds(folded).count("Conv2D") == 3


def test_nested_models():
    inner = keras.Sequential(
        [keras.Input((9, 9, 2)), lift("c4"), FieldNormalization("c4")], name="inner"
    )
    middle = build(lambda x: inner(x) + 1.0)

    def body(x):
        return keras.layers.Concatenate()([middle(x), inner(-x), inner(x)])

    folded = assert_folds(build(body))
    assert kinds(folded.get_layer("inner")) == ["Conv2D"]
    assert_folds(inner)


def test_dictionaries_of_inputs_and_outputs():
    inputs = {"image": keras.Input((9, 9, 2)), "shift": keras.Input((12,))}
    x = FieldNormalization("c4")(lift("c4")(inputs["image"]))
    pooled = keras.layers.GlobalAveragePooling2D()(x) + inputs["shift"]
    model = keras.Model(inputs, {"maps": x, "rest": [pooled, keras.ops.relu(pooled)]})
    given = {"image": images(), "shift": np.ones((3, 12), "float32")}
    folded = assert_folds(model, given)
    structure = folded(given)
    assert set(structure) == {"maps", "rest"} and len(structure["rest"]) == 2


def test_a_model_that_folds_to_nothing():
    assert kinds(assert_folds(build(chain(DropPath(0.1), keras.layers.Dropout(0.1))))) == []


def test_the_model_given_is_not_changed():
    model = build(chain(lift("c4"), FieldNormalization("c4"), keras.layers.Conv2D(2, 1)))
    randomize(model)
    before, layers, config = model.get_weights(), list(model.layers), model.get_config()
    folded = fold(model)
    folded.set_weights([np.zeros_like(weight) for weight in folded.get_weights()])
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)
    assert model.layers == layers
    assert model.get_config() == config


def test_what_a_model_was_compiled_with_and_its_class_stay_behind():
    class Mine(keras.Model):
        pass

    image = keras.Input((9, 9, 2))
    model = Mine(image, lift("c4")(image))
    model.compile(loss=lambda truth, answer: answer)
    folded = assert_folds(model)
    assert not folded.compiled
    assert type(folded).__module__.startswith("keras.")


# --- names ----------------------------------------------------------------------------------------


def test_names_are_kept_but_for_dots_and_stay_unique():
    def body(x):
        x = GroupConv2D(3, 3, "d4", lifting=True, strides=2, name="first")(x)
        x = keras.layers.ZeroPadding2D(2, name="first.pad")(x)
        x = keras.layers.ReLU(name="take_1")(keras.layers.ReLU(name="first.pad_1")(x))
        x = SubgroupRestriction("d4", "d2", name="fewer")(keras.layers.ReLU(name="take")(x))
        return GroupPool("d2", name="last")(x)

    # As after loading the model in a new process, in which Keras has given no name yet.
    model = build(body)
    keras.backend.clear_session()
    folded = assert_folds(model)
    names = [layer.name for layer in folded.layers]
    assert {"first", "first_pad", "first_pad_1", "take", "take_1", "last"} <= set(names)
    assert not any("." in name for name in names)


# --- precision ------------------------------------------------------------------------------------


def test_precision_is_kept():
    policy = "mixed_bfloat16"
    layers = [
        GroupConv2D(3, 3, "d4", lifting=True, strides=2, dtype=policy),
        FieldNormalization("d4", dtype=policy),
        GroupConv2D(8, 3, "d4", dtype=policy),
        GroupConv2D(8, 3, "d4", groups=8, dtype=policy),
        FieldSqueezeExcite("d4", 2, dtype=policy),
        SymmetricDownsample2D(dtype=policy),
        FieldLayerNormalization("d4", dtype=policy),
        GroupPool("d4", dtype=policy),
    ]
    model = build(chain(*layers))
    randomize(model)
    folded = fold(model)
    assert [layer.dtype_policy.name for layer in folded.layers[1:]] == [policy] * (
        len(folded.layers) - 1
    )
    assert folded.output.dtype == model.output.dtype == "bfloat16"
    expected, actual = (answers(each, images())[0].astype("float32") for each in (model, folded))
    # bfloat16 has 8 bits; layers round in another order.
    assert np.abs(actual - expected).max() <= 0.05 * np.abs(expected).max()


def test_a_normalisation_in_another_precision_does_not_merge():
    layers = [GroupConv2D(3, 3, "d4", lifting=True, dtype="mixed_bfloat16")]
    model = build(chain(*layers, FieldNormalization("d4"), DropPath(0.5, dtype="mixed_bfloat16")))
    folded = fold(model)
    assert kinds(folded) == ["Conv2D", "BatchNormalization", "Identity"]
    assert folded.output.dtype == "bfloat16"


# --- without us -----------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.skipif(
    keras.backend.backend() == "torch",
    reason="with PyTorch, Keras refuses dots in layers' names unless lensnet is imported",
)
def test_folded_models_are_saved_exported_and_loaded_where_we_are_not(tmp_path):
    """Every operation that folding applies reads what it wrote."""
    everything = [
        lift("d4", 8),
        FieldNormalization("d4"),
        relu(),
        GroupConv2D(8, 3, "d4", groups=8),
        FieldSqueezeExcite("d4", 2),
        SymmetricDownsample2D(),
        CircularMask(1.0),
        SubgroupRestriction("d4", "d2"),
        GroupPool("d2"),
    ]
    turning = RotationalConv2D(3, 3, rotations=8, rotate="inputs")
    averaged = GroupAveraged(build(chain(turning, keras.layers.GlobalMaxPooling2D())), "c2", True)
    for name, model in (("fields", build(chain(*everything))), ("averaged", build(averaged))):
        folded = assert_folds(model)
        folded.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", answers(folded, images())[0])
        if name == "fields" and keras.backend.backend() == "tensorflow":
            folded.export(tmp_path / "fields.exported", verbose=False)
    np.save(tmp_path / "images.npy", images())
    program = """
        import sys
        from pathlib import Path
        sys.modules["lensnet"] = None
        import keras
        import numpy as np
        folder = Path(sys.argv[1])
        images = np.load(folder / "images.npy")
        for name in ("fields", "averaged"):
            models = [keras.models.load_model(folder / f"{name}.keras")]
            if (folder / f"{name}.exported").exists():
                import tensorflow as tf
                models.append(tf.saved_model.load(folder / f"{name}.exported"))
            expected = np.load(folder / f"{name}.npy")
            for model in models:
                serve = getattr(model, "serve", model)
                actual = keras.ops.convert_to_numpy(serve(images))
                assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max(), name
        try:
            import lensnet
        except ImportError:
            print("done")
    """
    command = [sys.executable, "-c", dedent(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip().endswith("done"), done.stderr
