"""Makes a failing list of steps short by leaving out ever smaller parts (delta debugging)."""

from differential.steps import Mismatch
from harness.server import ServerFailure


def fails(runner, steps):
    """The Mismatch that a run from an empty store ends with, or None."""
    runner.reset()
    try:
        runner.run(steps)
    except Mismatch as mismatch:
        return mismatch
    except ServerFailure:
        return None
    return None


def shrink(runner, steps, attempts=400):
    """A shorter list that still fails, with its Mismatch; (steps, None) when it doesn't fail again
    from an empty store. At most `attempts` replays."""
    mismatch = fails(runner, steps)
    if mismatch is None:
        return steps, None
    steps = steps[:mismatch.index + 1]
    size = max(1, len(steps) // 2)
    while size >= 1 and attempts > 0:
        removed = False
        start = 0
        while start < len(steps) and attempts > 0:
            attempts -= 1
            candidate = steps[:start] + steps[start + size:]
            again = fails(runner, candidate) if candidate else None
            if again is not None and again.why == mismatch.why:
                steps, mismatch, removed = candidate[:again.index + 1], again, True
            else:
                start += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return steps, mismatch
