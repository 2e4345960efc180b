"""Which certificate files are taken, and what is said of those that are not."""

import datetime
import os

import pytest
from cryptography.hazmat.primitives import serialization

from serving.errors import SecurityError
from serving.security.certificates import Certificates


def encrypt(files, **_):
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a password"),
        )
    )


def a_pipe(files, **_):
    files.key.unlink()
    os.mkfifo(files.key)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files, **_: files.certificate.unlink(), r"cert\.pem cannot be read \(No such file"),
        (lambda files, **_: files.key.unlink(), r"key\.pem cannot be read \(No such file"),
        (lambda files, **_: files.client_ca.unlink(), r"ca\.pem cannot be read \(No such file"),
        (lambda files, **_: files.certificate.write_text("not PEM"), r"are no certificate and its key \("),
        (lambda files, **_: files.certificate.write_text(""), r"are no certificate and its key \("),
        (lambda files, **_: files.client_ca.write_text("not PEM"), r"ca\.pem holds no certificate of an"),
        (lambda files, **_: files.client_ca.write_text(""), r"ca\.pem holds no certificate of an"),
        (lambda files, **_: files.key.write_bytes(b"\n" * 2**21), r"key\.pem has over 1,048,576 bytes"),
        (lambda files, issued, **_: files.write_key(issued), r"\(key values mismatch\): give"),
        (encrypt, r"key\.pem is encrypted: give a key without a password"),
        (a_pipe, r"key\.pem is no plain file"),
    ],
)
@pytest.mark.timeout(30)
def test_files_that_do_not_fit_are_refused_in_one_line(files, authority, spoil, message):
    files.write(authority.issue_cert("localhost"), authority)
    spoil(files, issued=authority.issue_cert("localhost"))
    with pytest.raises(SecurityError, match=message) as caught:
        Certificates(files.settings(mutual=True))
    assert "\n" not in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_good_files_are_taken_without_a_word(files, authority, messages):
    files.write(authority.issue_cert("localhost"), authority)
    Certificates(files.settings(mutual=True))
    assert messages() == []


@pytest.mark.parametrize(
    ("days", "reason"),
    [((-3, -1), "certificate has expired"), ((1, 3), "certificate is not yet valid")],
)
def test_warn_of_a_certificate_out_of_its_time(files, authority, messages, days, reason):
    now = datetime.datetime.now(datetime.UTC)
    begin, end = (now + datetime.timedelta(days=each) for each in days)
    files.write(authority.issue_cert("localhost", not_before=begin, not_after=end))
    Certificates(files.settings())
    assert messages() == [f"clients will not accept {files.certificate}: {reason}"]


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_warn_of_a_key_that_others_can_read(files, authority, messages, mode):
    files.write(authority.issue_cert("localhost"))
    files.key.chmod(mode)
    Certificates(files.settings())
    assert messages() == [
        f"{files.key} holds a secret but others can read it (mode {mode:03o}): chmod 600 it"
    ]


def test_no_representation_holds_the_key(files, authority):
    files.write(authority.issue_cert("localhost"))
    certificates = Certificates(files.settings())
    assert certificates.current().key == files.key.read_bytes()
    assert "PRIVATE" not in repr(certificates) + repr(certificates.current())


def test_the_files_are_read_again_only_when_they_change(files, authority):
    files.write(authority.issue_cert("localhost"))
    certificates = Certificates(files.settings())
    first = certificates.current()
    assert certificates.current() is first
    files.write(authority.issue_cert("localhost"))
    second = certificates.current()
    assert second.certificate == files.certificate.read_bytes() != first.certificate
    assert certificates.current() is second


def test_files_replaced_one_by_one_are_used_once_they_fit(files, authority, messages):
    files.write(authority.issue_cert("localhost"))
    certificates = Certificates(files.settings())
    first = certificates.current()
    issued = authority.issue_cert("localhost")
    files.key.write_bytes(issued.private_key_pem.bytes()[:100])
    assert certificates.current() is first
    files.write_key(issued)
    for _ in range(3):
        assert certificates.current() is first
    assert len(messages()) == 2
    assert all(each.startswith("the certificates read before stay in use: ") for each in messages())
    files.write_certificate(issued)
    assert certificates.current().key == issued.private_key_pem.bytes()


def test_folders_swapped_by_a_symlink_are_seen(tmp_path, files_in, authority):
    """As Kubernetes replaces a mounted secret."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        files_in(tmp_path / name).write(authority.issue_cert("localhost"))
    (tmp_path / "data").symlink_to("first")
    certificates = Certificates(files_in(tmp_path / "data").settings())
    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").replace(tmp_path / "data")
    assert certificates.current().key == (tmp_path / "second" / "key.pem").read_bytes()
