"""Who may do what, by a file of bearer tokens."""

import hashlib

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from serving.errors import Forbidden, SecurityError, Unauthenticated
from serving.proto.methods import SERVICE, methods_of
from serving.security.scopes import METHOD_SCOPES, Scope
from serving.security.tokens import Tokens

INFER = "an-infer-token-1"
ADMIN = "an.admin~token+/2=="
HASHED = "a-hashed-token-33"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    digest = hashlib.sha256(HASHED.encode()).hexdigest()
    path.write_text(f"# the shop\n\ninfer {INFER}\n  infer,admin\t{ADMIN}  \ninfer sha256:{digest}\n")
    return path


def outcome(tokens, authorization, scope):
    try:
        tokens.check(authorization, scope)
    except (Unauthenticated, Forbidden) as error:
        refusal = error
    else:
        return None
    assert "\n" not in str(refusal)
    assert "token-" not in str(refusal)
    return type(refusal)


@pytest.mark.parametrize(
    ("token", "infer", "admin"),
    [
        (INFER, None, Forbidden),
        (ADMIN, None, None),
        (HASHED, None, Forbidden),
        (INFER[:-1], Unauthenticated, Unauthenticated),
        (INFER + "1", Unauthenticated, Unauthenticated),
        (INFER.upper(), Unauthenticated, Unauthenticated),
        (hashlib.sha256(HASHED.encode()).hexdigest(), Unauthenticated, Unauthenticated),
        ("sha256:" + hashlib.sha256(HASHED.encode()).hexdigest(), Unauthenticated, Unauthenticated),
        ("", Unauthenticated, Unauthenticated),
        ("\udcff\xff\N{SNOWMAN}" * 6, Unauthenticated, Unauthenticated),
        ("x" * 10_000, Unauthenticated, Unauthenticated),
    ],
)
def test_tokens_reach_as_far_as_their_scopes(file, token, infer, admin):
    tokens = Tokens(file)
    assert outcome(tokens, f"Bearer {token}", Scope.INFER) is infer
    assert outcome(tokens, f"Bearer {token}", Scope.ADMIN) is admin


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        INFER,
        f"Basic {INFER}",
        f"Bearer{INFER}",
        f"Bearer {INFER} {INFER}",
        f"Bearer\n{INFER}",
    ],
)
def test_what_is_no_bearer_token_is_refused(file, authorization):
    assert outcome(Tokens(file), authorization, Scope.INFER) is Unauthenticated


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_may_be_written_in_any_case(file, scheme):
    assert outcome(Tokens(file), f"{scheme} {INFER}", Scope.INFER) is None


HIDDEN = "secret-secret-secret"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HIDDEN}\n", "line 1 is not `SCOPES TOKEN`"),
        (f"# one\ninfer {HIDDEN} more\n", "line 2 is not `SCOPES TOKEN`"),
        (f"{HIDDEN} infer\n", "line 1 names a scope that is none of: infer, admin"),
        (f"infer,root {HIDDEN}\n", "line 1 names a scope"),
        (f"infer, {HIDDEN}\n", "line 1 names a scope"),
        (f"infer {HIDDEN[:15]}\n", "line 1 has no good token: give 16 to 512"),
        (f"infer {HIDDEN * 26}\n", "line 1 has no good token"),
        (f"infer {HIDDEN}!\n", "line 1 has no good token"),
        (f"infer sha256:{HIDDEN}\n", "line 1 has no good token"),
        (f"infer {HIDDEN}\nadmin {HIDDEN}\n", "line 2 has a token a second time"),
        (f"infer {HIDDEN}\n\xff\n", "has bytes that are not ASCII"),
        ("# none\n", "has 0 tokens: name 1 to 256"),
        ("\n".join(f"infer {HIDDEN}{number}" for number in range(257)), "has 257 tokens"),
        (f"infer {HIDDEN}\n" + "#" * 2**20, "has over 1,048,576 bytes"),
    ],
)
def test_a_bad_file_is_refused_without_telling_its_secrets(file, content, message):
    file.write_text(content, encoding="latin-1")
    with pytest.raises(SecurityError, match=message) as caught:
        Tokens(file)
    assert "\n" not in str(caught.value)
    assert HIDDEN[:15] not in f"{caught.value!r} {caught.value.__cause__}"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SecurityError, match="none cannot be read"):
        Tokens(tmp_path / "none")


def test_a_change_counts_without_a_restart(file):
    tokens = Tokens(file, every_s=0)
    file.write_text(f"admin {HIDDEN}\n")
    assert outcome(tokens, f"Bearer {HIDDEN}", Scope.ADMIN) is None
    assert outcome(tokens, f"Bearer {INFER}", Scope.INFER) is Unauthenticated


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_text(HIDDEN)])
def test_a_damaged_file_leaves_the_tokens_known_before(file, messages, spoil):
    tokens = Tokens(file, every_s=0)
    spoil(file)
    for _ in range(3):
        assert outcome(tokens, f"Bearer {INFER}", Scope.INFER) is None
    assert len(messages()) == 1
    assert messages()[0].startswith("the tokens known before stay good: ")
    assert HIDDEN not in messages()[0]
    file.write_text(f"infer {HIDDEN}\n")
    assert outcome(tokens, f"Bearer {INFER}", Scope.INFER) is Unauthenticated
    assert outcome(tokens, f"Bearer {HIDDEN}", Scope.INFER) is None


def test_warn_of_a_file_that_others_can_read(file, messages):
    file.chmod(0o640)
    Tokens(file)
    assert messages() == []
    file.chmod(0o644)
    Tokens(file)
    assert messages() == [f"{file} holds a secret but others can read it (mode 644): chmod 600 it"]


def test_each_rpc_that_a_server_offers_has_its_scope():
    services = [
        SERVICE,
        health_pb2.DESCRIPTOR.services_by_name["Health"],
        reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
    ]
    offered = {method.path for service in services for method in methods_of(service).values()}
    older = {"/grpc.health.v1.Health/List"}  # not every release of the health service declares it
    assert set(METHOD_SCOPES) - older == offered - older


def test_only_probes_need_no_token_and_only_control_needs_admin():
    names = {scope: set() for scope in (None, *Scope)}
    for path, scope in METHOD_SCOPES.items():
        names[scope].add(path.rsplit("/", 1)[1])
    assert names[None] == {"ServerLive", "ServerReady", "Check", "List", "Watch"}
    assert names[Scope.ADMIN] == {"RepositoryModelLoad", "RepositoryModelUnload"}
