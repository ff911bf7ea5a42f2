"""Token Status List: a million statuses of one bit, one in a hundred revoked at random."""

import random
from datetime import timedelta

from benchmarks import floor
from benchmarks.inputs import NOW, STATUS, Inputs
from benchmarks.yardstick import Row
from byoid.formats.status_array import INVALID, StatusArray
from byoid.formats.status_list import StatusList, prepare_status_list_token, verify_status_list_token
from byoid.signing import sign_now

SIZE = 1_000_000
REVOKED = SIZE // 100


def rows(inputs: Inputs) -> list[Row]:
    array = StatusArray.of_size(SIZE)
    for index in random.Random(1).sample(range(SIZE), REVOKED):
        array.set_status(index, INVALID)

    def publish() -> str:
        unsigned = prepare_status_list_token(
            array, uri=STATUS.uri, issued_at=NOW, expires_at=NOW + timedelta(days=1), algorithm="ES256"
        )
        return sign_now(unsigned, inputs.issuer)

    token = publish()

    def read() -> StatusList:
        return verify_status_list_token(token, uri=STATUS.uri, key=inputs.issuer.public, now=NOW)

    status_list = read()
    return [
        Row("status_list.publish", publish, goal_y=12),
        Row("status_list.read", read, goal_y=7, peers={"floor": floor.read_status_list(inputs, token)}),
        Row("status_list.lookup", lambda: status_list.status_at(STATUS.index), goal_y=0.02),
    ]
