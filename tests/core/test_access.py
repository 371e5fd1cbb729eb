# SPDX-License-Identifier: GPL-2.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.access import CORE, OPERATE, ROLES, TECH, VIEW, Policy

IDS = st.frozensets(st.integers(0, 6), max_size=4)
RULES = st.dictionaries(st.sampled_from(ROLES), IDS)


@given(RULES, RULES, st.integers(0, 6), IDS)
def test_a_role_comes_from_a_rule_or_is_implied_by_one(
    users: dict[str, frozenset[int]], groups: dict[str, frozenset[int]], uid: int, gids: frozenset[int]
) -> None:
    roles = Policy(users, groups).roles(uid, gids)
    named = {role for role in ROLES if uid in users.get(role, ()) or gids & groups.get(role, frozenset())}
    assert named <= roles
    assert (OPERATE in roles) is (OPERATE in named)
    assert (CORE in roles) is bool(named & {CORE, OPERATE})
    assert (TECH in roles) is bool(named & {TECH, OPERATE})
    assert (VIEW in roles) is bool(named)


def test_kernel_media_is_for_root_and_the_trusted() -> None:
    policy = Policy(trusted=frozenset({1000}))
    assert policy.may_hold_kernel_media(0)
    assert policy.may_hold_kernel_media(1000)
    assert not policy.may_hold_kernel_media(1001)
