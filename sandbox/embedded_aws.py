"""An AWS account on this machine: started, deployed to with the real template, and taken away.

The emulator (ministack) runs from an environment of its own, `.venv-aws`, because its Lambda
workers run on its interpreter: what the layer forgets to bring must be missing there too. It checks
signatures and the functions' permissions as AWS does, and gives them a new account's ten workers.
It is reached by plain HTTP, so what the template says about TLS is taken back.
"""

import contextlib
import fcntl
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import boto3
import botocore.session
import requests

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sesv2.client import SESV2Client
    from mypy_boto3_ssm.client import SSMClient

PROJECT = Path(__file__).parent.parent
EMULATOR = PROJECT / ".venv-aws" / "bin" / "ministack"
TOOLS = Path(sys.executable).parent

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"

# The emulator takes these for the account's root user; they open nothing anywhere else.
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - a secret of nothing

# A new AWS account may run this many Lambda workers at once (AWS Lambda quotas).
WORKERS_OF_A_NEW_ACCOUNT = 10

# The emulator checks these against the resource `*`, which no good policy allows (ministack 1.5.33,
# core/iam_actions.py); everything else it checks as AWS does.
CANNOT_BE_NAMED = {"ses:SendEmail", "ssm:GetParametersByPath"}

# It is ready within two seconds; a machine busy with other things gets more.
READY_SECONDS = 60
LOOK_EVERY_SECONDS = 0.05

# Another program may take the port between our finding it free and the emulator's opening it.
START_ATTEMPTS = 3

# The leash kills within half a second; a machine busy with other things gets more.
STOP_SECONDS = 15

# Bounds for things that take seconds, so that a hang ends in an error.
BUILD_SECONDS = 300
DEPLOY_SECONDS = 120


# What a caller's shell must not bring into the tools: other accounts, other environments, another
# place for pip to install to. How to reach the network and the package index stays.
_STRAY_PREFIXES = ("AWS_", "SAM_", "PYTHON", "UV_", "VIRTUAL_ENV", "POWERTOOLS_", "LOG_LEVEL")
_STRAY_PIP = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_DEPS"}

# The settings of boto3 that a caller's environment or home could fill with another account's.
# (botocore: name in a configuration file, environment variables, default, conversion)
_NOBODYS_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
}


class SandboxError(Exception):
    """The sandbox cannot be brought up; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    """A running account at `url`. `folder` is its own, for as long as it runs."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    def is_running(self) -> bool:
        """Whether the account is still there."""
        return self.process.poll() is None

    def environment(self) -> dict[str, str]:
        """The environment in which `sam`, `ops` and boto3 find this account and no other."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_STRAY_PREFIXES) and name not in _STRAY_PIP
        }
        nobody = os.devnull
        return kept | {
            "PATH": os.pathsep.join([str(TOOLS), os.environ.get("PATH", os.defpath)]),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": nobody,
            "AWS_SHARED_CREDENTIALS_FILE": nobody,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), LOOPBACK])),
            "no_proxy": ",".join(filter(None, [os.environ.get("no_proxy"), LOOPBACK])),
            "TMPDIR": str(self.folder / "tmp"),
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",
            "__SAM_CLI_APP_DIR": str(self.folder / "sam"),
        }

    def session(self) -> boto3.session.Session:
        """Credentials for this account; clients also need `endpoint_url=self.url`.

        The caller's own AWS profile and certificates are left out of it.
        """
        core = botocore.session.Session(session_vars=_NOBODYS_SETTINGS)
        return boto3.session.Session(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            botocore_session=core,
        )

    def run(self, command: list[str], *, seconds: float, doing: str) -> str:
        """Run one of the project's tools for this account; return what it printed.

        Raises `SandboxError` with what it printed where it fails or takes longer than `seconds`.
        """
        try:
            done = subprocess.run(  # noqa: S603 - our own tools, from our own environment
                command,
                cwd=PROJECT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise SandboxError(f"{doing} took more than {seconds:.0f} s:\n{error.output}") from None
        except subprocess.CalledProcessError as error:
            raise SandboxError(f"{doing} failed:\n{error.output}") from None
        return done.stdout

    def build(self) -> None:
        """Build the functions and the layer for this machine's architecture: `sam build`."""
        overrides = f"Arch={architecture()}"
        command = [str(TOOLS / "sam"), "build", "--cached", "--parameter-overrides", overrides]
        self.run(command, seconds=BUILD_SECONDS, doing="sam build")

    def deploy(self, stack: str, parameters: Mapping[str, str]) -> None:
        """Deploy what was built as `stack` with these parameters: `sam deploy`."""
        bucket = f"{stack}-code"
        s3: S3Client = self.session().client("s3", endpoint_url=self.url)
        s3.create_bucket(Bucket=bucket)
        overrides = {"Arch": architecture()} | dict(parameters)
        self.run(
            [
                *(str(TOOLS / "sam"), "deploy", "--stack-name", stack, "--s3-bucket", bucket),
                *("--parameter-overrides", *(f"{k}={json.dumps(v)}" for k, v in overrides.items())),
            ],
            seconds=DEPLOY_SECONDS,
            doing="sam deploy",
        )
        self._allow_what_cannot_be_named(stack)
        self._allow_plain_http(stack)

    def _allow_plain_http(self, stack: str) -> None:
        """Take away what keeps buckets from whoever comes without TLS: here everybody does."""
        s3: S3Client = self.session().client("s3", endpoint_url=self.url)
        for bucket in self._resources(stack, "AWS::S3::Bucket"):
            s3.delete_bucket_policy(Bucket=bucket)

    def _resources(self, stack: str, kind: str) -> list[str]:
        """AWS's names of the stack's resources of one kind."""
        cloudformation: CloudFormationClient = self.session().client(
            "cloudformation", endpoint_url=self.url
        )
        found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        return [one["PhysicalResourceId"] for one in found if one["ResourceType"] == kind]

    def _allow_what_cannot_be_named(self, stack: str) -> None:
        """Where the emulator does not see which resource is asked for, allow the action on any.

        Only for roles that the template allows the action on a named resource.
        """
        iam: IAMClient = self.session().client("iam", endpoint_url=self.url)
        for role in self._resources(stack, "AWS::IAM::Role"):
            allowed = _allowed_actions(iam, role) & CANNOT_BE_NAMED
            if allowed:
                statement = {"Effect": "Allow", "Action": sorted(allowed), "Resource": "*"}
                iam.put_role_policy(
                    RoleName=role,
                    PolicyName="what-the-emulator-cannot-name",
                    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
                )

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of the deployed stack, by name."""
        client: CloudFormationClient = self.session().client(
            "cloudformation", endpoint_url=self.url
        )
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}

    def put_secret(self, name: str, value: str) -> None:
        """Put a SecureString into SSM Parameter Store."""
        client: SSMClient = self.session().client("ssm", endpoint_url=self.url)
        client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def check_sender(self, address: str) -> None:
        """Make sure that SES lets `address` send: the template made its domain an identity."""
        client: SESV2Client = self.session().client("sesv2", endpoint_url=self.url)
        domain = address.partition("@")[2]
        if not client.get_email_identity(EmailIdentity=domain)["VerifiedForSendingStatus"]:
            raise SandboxError(f"SES does not know {address} as a verified sender")

    def invoke(self, function: str, event: Mapping[str, object]) -> None:
        """Let a function run with this event, as EventBridge does: without waiting for its end."""
        client: LambdaClient = self.session().client("lambda", endpoint_url=self.url)
        client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
        )


def _allowed_actions(iam: "IAMClient", role: str) -> set[str]:
    """The actions that a role's own policies allow on whatever resource."""
    actions: set[str] = set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        policy: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in policy["Statement"]:
            action = statement["Action"]
            actions |= {action} if isinstance(action, str) else set(action)
    return actions


def architecture() -> str:
    """This machine's processor, as Lambda calls it."""
    machine = platform.machine().lower()
    return "arm64" if machine in {"arm64", "aarch64"} else "x86_64"


def check_machine() -> None:
    """Raise `SandboxError` where the functions could not run."""
    if sys.platform != "linux":
        raise SandboxError(
            "The functions' compiled libraries are Linux's, as on AWS, and here they run without\n"
            "a container: use Linux, a Linux virtual machine, or WSL."
        )
    if not EMULATOR.exists():
        raise SandboxError(f"There is no {EMULATOR}: run `make setup`.")


@contextmanager
def running_aws(folder: Path) -> Iterator[EmbeddedAws]:
    """Start an empty account; take it away at the end, with everything it started.

    `folder` is for its files. Whatever ends us ends it too: it runs on a leash (`sandbox.leash`).
    """
    check_machine()
    for place in ("sam", "tmp"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    sam_home = {"lastVersionCheck": time.time(), "telemetryEnabled": False}
    (folder / "sam" / "metadata.json").write_text(json.dumps(sam_home))
    aws = _start(folder)
    try:
        yield aws
    finally:
        _stop(aws.process)


def _start(folder: Path) -> EmbeddedAws:
    log = folder / "aws.log"
    for _ in range(START_ATTEMPTS):
        port = _free_port()
        process = _launch(folder, port, log)
        aws = EmbeddedAws(url=f"http://{LOOPBACK}:{port}", folder=folder, process=process)
        try:
            if _becomes_ready(aws):
                return aws
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    raise SandboxError(f"The embedded AWS does not start:\n{log.read_text(errors='replace')}")


def _launch(folder: Path, port: int, log: Path) -> "subprocess.Popen[bytes]":
    """Start the emulator. Its workers inherit its environment, so it gets only what is needed."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "BIND_HOST": LOOPBACK,
        "MINISTACK_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(WORKERS_OF_A_NEW_ACCOUNT),
        # These two would open ports of their own, on every interface.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own emulator, from our own environment
            [sys.executable, "-m", "sandbox.leash", str(EMULATOR)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _becomes_ready(aws: EmbeddedAws) -> bool:
    """Wait for the emulator; False where it ended instead."""
    deadline = time.monotonic() + READY_SECONDS
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and ourselves
        while time.monotonic() < deadline and aws.is_running():
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if session.get(f"{aws.url}/_ministack/ready", timeout=READY_SECONDS).ok:
                    return True
            time.sleep(LOOK_EVERY_SECONDS)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Let go of the leash, and see to it that the end comes."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Wait until nobody else holds `lock`, and hold it: two runs share one build folder."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(lock: Path) -> IO[str] | None:
    """Hold `lock` until the returned file is closed or we end; `None` while somebody else does."""
    file = lock.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
