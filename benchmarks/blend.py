"""How long ``blend.solve`` takes: hole pixels against seconds (assembly included), and the exponent of the growth.

python -m benchmarks.blend
"""

import time

import numpy as np

from faceinp.blend import blending


def disc(count: int) -> np.ndarray:
    """bool (H, W): one round hole of about ``count`` pixels with a few known pixels around it."""
    radius = np.sqrt(count / np.pi)
    y, x = np.mgrid[-radius - 4 : radius + 5, -radius - 4 : radius + 5]
    return x**2 + y**2 < radius**2


def main() -> None:
    rng = np.random.default_rng(0)
    measured = []
    blending.solve(*(rng.random((40, 40, 3), dtype=np.float32) for _ in "ab"), hole=np.eye(40, dtype=bool))  # imports
    print("shape             hole pixels   wall s    CPU s")
    for name, counts in (("disc", (10_000, 50_000, 200_000, 800_000)), ("80 % of pixels", (200_000,))):
        for count in counts:
            hole = disc(count) if name == "disc" else rng.random((500, 500)) < 0.8
            pixels, frame = (rng.random((*hole.shape, 3), dtype=np.float32) for _ in "ab")
            runs = []
            for _ in range(3):
                wall, cpu = time.perf_counter(), time.process_time()
                blending.solve(pixels, frame, hole)
                runs.append((time.perf_counter() - wall, time.process_time() - cpu))
            best, least = min(r[0] for r in runs), min(r[1] for r in runs)
            print(f"{name:16} {hole.sum():12,d} {best:8.2f} {least:8.2f}", flush=True)
            if name == "disc":
                measured.append((hole.sum(), least))
    sizes, seconds = np.log(np.array(measured, float)).T
    print(f"CPU seconds grow with hole pixels to the power {np.polyfit(sizes, seconds, 1)[0]:.2f}")


if __name__ == "__main__":
    main()
