import pytest

from services.ui.security.passwords import PasswordHash, parse_users


def test_matches__vector_of_rfc_7914() -> None:
    digest = bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    known = PasswordHash(16384, 8, 1, b"SodiumChloride", digest)
    assert known.matches("pleaseletmein")
    assert not known.matches("pleaseletmeim")


def test_of__is_salted_and_survives_writing() -> None:
    one, other = PasswordHash.of("correct horse battery"), PasswordHash.of("correct horse battery")
    assert str(one) != str(other)
    assert PasswordHash.parse(str(one)).matches("correct horse battery")
    assert "correct" not in str(one)


def test_of__refuses_short() -> None:
    with pytest.raises(ValueError, match="has 9 characters; use at least 10"):
        PasswordHash.of("too short")


def test_parse_users__reads_names_with_hashes() -> None:
    hashed = PasswordHash.of("a long password")
    users = parse_users(f"anna:{hashed}, béla:{hashed}")
    assert list(users) == ["anna", "béla"]
    assert users["anna"].matches("a long password")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anna", "user anna: a password hash reads"),
        (":scrypt$1$1$1$YQ==$YQ==", "entry 1 of the users needs a name"),
        ("anna:secret", "user anna: a password hash reads"),
        ("anna:md5$16384$8$1$c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=", "user anna: a password hash reads"),
        ("anna:scrypt$2$8$1$c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=", "user anna: a password hash has N from 16384"),
        ("anna:scrypt$16384$8$1$YQ==$" + "A" * 43 + "=", "16 bytes of salt"),
    ],
)
def test_parse_users__names_the_entry_never_the_hash(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("$", r"\$")) as raised:
        parse_users(text)
    assert "secret" not in str(raised.value)


def test_parse_users__refuses_a_name_twice() -> None:
    hashed = PasswordHash.of("a long password")
    with pytest.raises(ValueError, match="entry 2"):
        parse_users(f"anna:{hashed},anna:{hashed}")
