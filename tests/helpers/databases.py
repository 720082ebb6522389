"""Other threads that come between two transactions."""


def after_next_write(database, monkeypatch, act):
    """Lets `act` happen right after the next write, before what its writer does next."""
    write = database.write

    def write_and_act(work):
        result = write(work)
        monkeypatch.setattr(database, "write", write)
        act()
        return result

    monkeypatch.setattr(database, "write", write_and_act)
