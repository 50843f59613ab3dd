"""MongoDB refuses for a while: users wait, none is recorded before its acknowledgement, none is set aside."""

import pytest

from ledger import Load, check_agreement
from obstacles import failing_mongodb

USERS = 100
WRITE_CONCERN_TIMED_OUT, SHUTDOWN_IN_PROGRESS = 64, 91


@pytest.mark.parametrize(
    ("how", "written"),
    [
        ({"errorCode": 14031}, 0),
        ({"closeConnection": True}, 0),
        ({"writeConcernError": {"code": WRITE_CONCERN_TIMED_OUT, "errmsg": "waiting timed out"}}, USERS),
        ({"writeConcernError": {"code": SHUTDOWN_IN_PROGRESS, "errmsg": "shutting down"}}, USERS),
    ],
    ids=["out of disk space", "closed connections", "no majority in time", "no majority at a shutdown"],
)
async def test_what_mongodb_does_not_acknowledge_waits_and_arrives_later(
    servers, system, serve, how, written
):
    client = (await serve("refused")).client
    async with failing_mongodb(servers, "refused", **how) as failpoint:
        async with Load([client], USERS) as load:
            pass
        assert load.troubles == []
        await failpoint.until_struck(times=5)
        if not written:
            assert await system.users.count_documents({}) == 0
        assert await system.count("select count(*) from prm_user_pending") == USERS
        assert await system.count("select count(*) from prm_user_event where event_type = 'SYNCRONIZED'") == 0
    await system.until_synchronized(USERS)
    await check_agreement(system, load.acknowledged)
