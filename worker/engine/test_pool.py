"""Memory that is used again: never while somebody holds it, and no more than was in use at once."""

from worker.engine.pool import Pool


class Holder:
    """Who was lent tensors."""


def test_what_is_held_is_lent_to_nobody_else_and_then_it_is() -> None:
    import torch

    pool, cpu, holder = Pool(), torch.device("cpu"), Holder()
    first = pool.take(2, (3, 4), torch.float32, cpu)
    addresses = {each.data_ptr() for each in first}
    pool.give_back_after(holder, first)
    del first
    assert addresses.isdisjoint({each.data_ptr() for each in pool.take(2, (3, 4), torch.float32, cpu)})
    del holder
    again = pool.take(2, (4, 12), torch.uint8, cpu)
    assert {each.data_ptr() for each in again} == addresses
    assert [each.shape for each in again] == [(4, 12)] * 2


def test_it_keeps_no_more_than_was_in_use_at_once() -> None:
    import torch

    pool, cpu = Pool(), torch.device("cpu")
    for width in (10, 20, 5, 30):
        holder = Holder()
        pool.give_back_after(holder, pool.take(3, (width,), torch.uint8, cpu))
        del holder
    assert [len(block) for block in pool._free] == [30] * 3


def test_rows_selected_of_a_memory_hold_all_of_it() -> None:
    import torch

    from worker.engine.memory import Memory

    pool = Pool()
    memory = Memory.empty(1, (2, 1, 3, 4), torch.float32, torch.device("cpu"), pool)
    chosen = memory.select([1])
    del memory
    assert not pool._free
    del chosen
    assert len(pool._free) == 2
