"""Which cell the ids of a database name.

The sequence says it: in a cell it steps by 10,000, and each id that it gives ends with the cell's number
(`tandem.ids`). So nothing else has to be remembered, a backup has it, and a promoted standby as well.
"""

from tandem.ids import CELL_STEP, FIRST_ID_OF_CELLS
from tandem.kernel import UnsuitableServer
from tandem.postgres.database import Database
from tandem.user_command.migrate import Steps
from tandem.user_command.queries import QUERIES
from tandem.user_command.schema import Step

# The first statement waits for those who have taken ids and have not committed yet. Who comes later gets none
# before all of this is done.
_BECOME = """
DO $$
DECLARE
    given bigint;
BEGIN
    ALTER SEQUENCE prm_user_id_seq INCREMENT BY {step} START WITH {first};
    given := pg_sequence_last_value('prm_user_id_seq');
    IF given IS NOT NULL AND {cell} > 0 THEN
        RAISE EXCEPTION 'this database has given ids that do not name a cell, and only cell 0 may have such'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF given > {first} - 10000000 THEN
        RAISE EXCEPTION 'this database has given ids up to %, where those of cells are', given
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    ALTER SEQUENCE prm_user_id_seq RESTART;
    PERFORM tandem_extend_log();
END $$;
"""


async def become_cell(steps: Steps, cell: int) -> list[str]:
    """Have the ids of this database name this cell from now on; what was done. Again is harmless.

    Cell 0 may have given ids before, which are its own (`tandem.ids.cell_of`), and instances go on.

    Raises:
        UnsuitableServer: it is another cell, or has given ids that cannot be this cell's.
    """
    rows = await steps.connection.fetch(QUERIES["cell_of_database"].sql, CELL_STEP, FIRST_ID_OF_CELLS)
    found = rows[0]["cell"]
    if found == cell:
        return []
    if found is not None:
        raise UnsuitableServer(f"This database is cell {found}, and CELL is {cell}. {_mended(found)}")
    sql = _BECOME.format(step=CELL_STEP, first=FIRST_ID_OF_CELLS + cell, cell=cell)
    await steps.apply(f"That this database is cell {cell}", Step(sql))
    return [f"cell {cell}"]


async def require_cell(database: Database, cell: int) -> None:
    """Refuse a database whose ids do not name this cell; -1: that is one.

    Raises:
        UnsuitableServer: says which cell it is, if any, and what to do.
        Unavailable: PostgreSQL does not answer.
    """
    rows = await database.fetch(QUERIES["cell_of_database"], CELL_STEP, FIRST_ID_OF_CELLS)
    found = rows[0]["cell"]
    if found == (None if cell < 0 else cell):
        return
    if found is None:
        msg = (
            f"CELL is {cell}, and the ids of this database do not name a cell. Run `tandem migrate` with "
            f"CELL={cell} as its owner, or take CELL away."
        )
    else:
        msg = (
            f"This database is cell {found}, and CELL is {cell if cell >= 0 else 'not set'}. {_mended(found)}"
        )
    raise UnsuitableServer(msg)


def _mended(found: int) -> str:
    return f"Set CELL={found}, or have POSTGRES_URL name another database."
