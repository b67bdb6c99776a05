import pytest

from store.errors import InvalidValue
from store.tables.values import check_json, is_storable, new_uuids, parse_uuid


def test_new_uuids_ascend_and_are_version_7() -> None:
    uuids = new_uuids(1000)

    assert sorted(uuids) == uuids
    assert len(set(uuids)) == 1000
    assert {(uuid.version, uuid.variant) for uuid in uuids} == {(7, "specified in RFC 4122")}
    assert all(parse_uuid(str(uuid)) == uuid for uuid in uuids)


@pytest.mark.parametrize(
    "text", ["", "x", "{12345678-1234-5678-1234-567812345678}", "12345678123456781234567812345678"]
)
def test_only_the_canonical_form_of_a_uuid_is_one(text: str) -> None:
    assert parse_uuid(text) is None


@pytest.mark.parametrize("text", ["a\x00", "\ud83d", "\udfff"])
def test_a_nul_or_half_a_pair_is_not_storable(text: str) -> None:
    assert not is_storable(text)
    with pytest.raises(InvalidValue):
        check_json("metadata", {"a": [text]})
    with pytest.raises(InvalidValue):
        check_json("metadata", {text: 1})


@pytest.mark.parametrize("text", ["", "ä😀", "\\u0000", "\\\\u0000", "\\ud800", "\t\n\x01"])
def test_other_text_is_storable(text: str) -> None:
    assert is_storable(text)
    check_json("metadata", {text: [text]})


def test_json_too_deep_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidValue):
        check_json("metadata", deep)
