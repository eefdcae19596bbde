"""What a sliding window makes of a picture's side, as the sum a learner works out on paper.

    (224 − 7 + 2·3)/2 + 1 = 112.5 → 112

The window of 7 may start anywhere from the left padding to 7 before the right one, and of these
places every second is taken. Knows numbers only, no layers. The surprise: TensorFlow's "same" padding
depends on the size of the picture and is not the same on both sides, so it is told by what came out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How a convolution or pooling looks at its input, one number for height and one for width.

    padding is None where the layer works it out itself, from the size of what comes in.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] | None
    dilation: tuple[int, int] = (1, 1)
    rounds_up: bool = False

    def size_sum(self, side: int, size: int, result: int) -> str | None:
        """The sum for side 0 (height) or 1 (width); None where `result` does not come of it."""
        kernel, stride = self.kernel[side], self.stride[side]
        reach = self.dilation[side] * (kernel - 1) + 1
        window = str(reach) if reach == kernel else f"({self.dilation[side]}·{kernel - 1} + 1)"
        padding = self.padding[side] if self.padding else None
        if padding is not None:
            places = size - reach + 2 * padding
            rounded = -(-places // stride) if self.rounds_up else places // stride
            if rounded + 1 == result:
                return _written(f"{size} − {window} + 2·{padding}", places, stride, result)
        if result != -(-size // stride):
            return None
        total = max((result - 1) * stride + reach - size, 0)
        before, after = total // 2, total - total // 2
        places = size - reach + total
        return _written(f"{size} − {window} + {before} + {after}", places, stride, result)


def _written(places_sum: str, places: int, stride: int, result: int) -> str:
    exact = places / stride + 1
    end = f"{result}" if exact == result else f"{exact:.4g} → {result}"
    return f"({places_sum})/{stride} + 1 = {end}"
