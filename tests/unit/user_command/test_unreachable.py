"""What is said when a database cannot be used: its address, and never its password."""

import pytest

from tandem.mongodb.client import unreachable as mongodb
from tandem.postgres.database import unreachable as postgresql


@pytest.mark.parametrize(
    ("sentence", "scheme", "setting"),
    [(postgresql, "postgresql", "POSTGRES_URL"), (mongodb, "mongodb", "MONGODB_URL")],
)
@pytest.mark.parametrize("error", [OSError("refused"), ValueError("invalid port 'hunter2'")])
def test_it_names_address_and_setting_but_no_password(sentence, scheme, setting, error):
    said = sentence(f"{scheme}://name:hunter2@db.example:1234/tandem?option=1", error)
    assert "db.example:1234/tandem" in said
    assert setting in said
    assert "hunter2" not in said
    assert "option" not in said
