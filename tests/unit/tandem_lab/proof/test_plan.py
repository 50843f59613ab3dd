"""Mixes: what is sent in which proportion."""

import pytest

from tandem_lab.proof.plan import ALL_KINDS, CREATIONS, Mix, mix_of


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("create=60,update=30,delete=10", Mix(60, 30, 10)),
        ("delete=1,create=2", Mix(2, 0, 1)),
        ("create=1", Mix(1, 0, 0)),
        (str(ALL_KINDS), ALL_KINDS),
        (str(CREATIONS), CREATIONS),
    ],
)
def test_a_mix_names_the_share_of_each_kind(text, mix):
    assert mix_of(text) == mix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "create, update, delete"),
        ("erase=1,create=1", "'erase=1' is no share"),
        ("create=1,create=2", "create is there twice"),
        ("create=60,update", "share of update must be a whole number from 0 to 100"),
        ("create=-1", "share of create"),
        ("create=101", "from 0 to 100"),
        ("create=1.5", "share of create"),
        ("update=30,delete=10", "create must be above 0"),
        ("create=0,update=30", "create must be above 0"),
    ],
)
def test_what_is_no_mix_is_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        mix_of(text)


def test_after_every_user_each_kind_has_its_share():
    mix = Mix(create=60, update=30, delete=10)
    for users in (6, 60, 600):
        assert sum(map(mix.updates_after, range(users))) == users // 2
        assert sum(map(mix.deletes_after, range(users))) == users // 6
    assert [Mix(create=2, update=5).updates_after(index) for index in range(4)] == [2, 3, 2, 3]
