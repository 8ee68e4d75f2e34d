"""Edits travel through each broker with a real worker; none of them is trusted with more than ids."""

import json
import os

import pytest
from kombu import Connection as Broker
from kombu import Exchange, Queue

from crm_bridge.models import ContactChange
from crm_bridge.services import contacts, pull
from tests import factories
from tests.processes import run, until, worker

pytestmark = pytest.mark.django_db(transaction=True)

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
BROKERS = [
    pytest.param("filesystem://localhost", id="files"),
    pytest.param(REDIS, id="redis", marks=pytest.mark.redis),
    pytest.param(RABBITMQ, id="rabbitmq", marks=pytest.mark.rabbitmq),
]
RING = (
    "import time; from backoffice.celery import app\n"
    "app.send_task('crm_bridge.tasks.push_change', args=[{pk}], queue='push')"
)


@pytest.fixture
def contact(sandbox):
    """A mirrored contact with an edit that nobody has been told of yet."""
    connection = factories.connection(base_url=sandbox.base())
    pull.pull_connection(connection, ["contacts"])
    contact = connection.contacts.exclude(name="").filter(state="live", kind="lead").first()
    contacts.edit(contact=contact, changes={"stage": "Gọi lại thứ hai"}, by=factories.user())
    return contact


@pytest.fixture
def broker(request):
    """The URL of a running broker with empty queues; skipped, with the reason, where there is none."""
    url = request.param
    if url.startswith("filesystem"):
        yield url
        return
    try:
        with Broker(url, connect_timeout=2) as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OSError, link.connection_errors) as problem:
        pytest.skip(f"no broker at {url.rpartition('@')[2]}: {problem}")
    forget_queues(url)
    yield url
    forget_queues(url)


def forget_queues(url):
    with Broker(url) as link:
        for name in ("push", "pull"):
            try:
                link.channel().queue_delete(name)
            except link.channel_errors:
                continue


@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_a_worker_sends_what_the_broker_rings_for(broker, contact, sandbox, tmp_path):
    change = ContactChange.objects.get()
    rung = run(tmp_path, RING.format(pk=change.pk), CELERY_BROKER_URL=broker)
    assert rung.returncode == 0, rung.stderr

    with worker(tmp_path, CELERY_BROKER_URL=broker):
        until(lambda: ContactChange.objects.get().status == "done")

    log = (tmp_path / "worker.log").read_text()
    assert ContactChange.objects.get().status == "done", log
    assert sandbox.contact(kind="lead", id=contact.remote_id)["stage"] == "Gọi lại thứ hai"
    assert len(sandbox.writes()) == 1
    assert contact.name not in log
    assert "Gọi lại" not in log


def test_a_message_holds_an_id_and_nothing_about_the_contact(contact, tmp_path):
    pk = ContactChange.objects.get().pk
    assert run(tmp_path, RING.format(pk=pk)).returncode == 0
    (message,) = (tmp_path / "broker" / "messages").iterdir()
    assert message.name.endswith(".push.msg")
    text = message.read_text()
    assert contact.name not in json.dumps(json.loads(text), ensure_ascii=False)
    assert f"[{pk}]" in json.loads(text)["headers"]["argsrepr"]


def test_each_queue_gets_only_its_own(tmp_path):
    assert run(tmp_path, RING.format(pk=1).replace("'push'", "'pull'")).returncode == 0
    names = [path.name for path in (tmp_path / "broker" / "messages").iterdir()]
    assert len(names) == 1
    assert names[0].endswith(".pull.msg")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_publishing_to_a_broker_that_is_down_fails_at_once(url, tmp_path):
    lines = (
        "import time; from backoffice.celery import app; from kombu.exceptions import OperationalError\n"
        "began = time.monotonic()\n"
        "try: app.send_task('crm_bridge.tasks.push_change', args=[1], queue='push')\n"
        "except OperationalError: print(time.monotonic() - began)"
    )
    done = run(tmp_path, lines, CELERY_BROKER_URL=url)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2


def test_pickled_messages_are_refused(contact, tmp_path):
    """A forged message runs no code, and the worker lives on to do its work."""
    proof = tmp_path / "executed"

    class Forged:
        def __reduce__(self):
            return os.system, (f"touch {proof}",)

    folders = {"data_folder_in": tmp_path / "broker/messages", "control_folder": tmp_path / "broker/control"}
    assert run(tmp_path, "").returncode == 0
    options = {name: str(path) for name, path in folders.items()}
    options["data_folder_out"] = options["data_folder_in"]
    with Broker("filesystem://localhost", transport_options=options) as link:
        link.Producer(serializer="pickle").publish(
            ((Forged(),), {}, {}),
            exchange=Exchange("push"),
            routing_key="push",
            declare=[Queue("push", Exchange("push"), routing_key="push")],
            headers={"task": "crm_bridge.tasks.push_change", "id": "1", "argsrepr": "", "kwargsrepr": ""},
        )
    change = ContactChange.objects.get()
    assert run(tmp_path, RING.format(pk=change.pk)).returncode == 0
    with worker(tmp_path):
        until(lambda: ContactChange.objects.get().status == "done")
    assert ContactChange.objects.get().status == "done"
    assert not proof.exists()


@pytest.mark.rabbitmq
@pytest.mark.parametrize("broker", BROKERS[2:], indirect=True)
def test_rabbitmq_queues_are_replicated(broker, tmp_path):
    assert run(tmp_path, RING.format(pk=0), CELERY_BROKER_URL=broker).returncode == 0
    with Broker(broker) as link, pytest.raises(link.channel_errors, match="x-queue-type"):
        link.channel().queue_declare("push", durable=True, auto_delete=False)
