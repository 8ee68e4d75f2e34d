"""What the queue is set up to do, whatever the broker."""

import inspect

import pytest

from backoffice.celery import app


@pytest.fixture(scope="module")
def tasks():
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_a_killed_worker_gives_its_task_back(tasks):
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_messages_are_json_and_results_are_not_kept(tasks):
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_ignore_result
    assert not app.conf.result_backend


def test_every_task_has_a_queue_that_workers_consume(tasks):
    queues = {queue.name for queue in app.conf.task_queues}
    assert tasks
    routed = {getattr(task, "queue", None) or app.conf.task_default_queue for task in tasks.values()}
    assert routed <= queues


def test_each_queue_has_an_exchange_of_its_own(tasks):
    bindings = {(queue.exchange.name, queue.routing_key) for queue in app.conf.task_queues}
    assert len(bindings) == len(app.conf.task_queues)


def test_beat_starts_only_tasks_that_exist(tasks):
    scheduled = app.conf.beat_schedule.values()
    assert {entry["task"] for entry in scheduled} <= tasks.keys()
    assert app.conf.beat_schedule["sweep"]["schedule"] == 30


def test_sweeps_do_not_pile_up_while_no_worker_runs(tasks):
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] <= entry["schedule"]


def test_tasks_take_ids_and_names_only(tasks):
    """Personal data in a message would lie in the broker's files and logs."""
    for task in tasks.values():
        for parameter in inspect.signature(task.run).parameters.values():
            assert parameter.annotation in (int, str, "int", "str", int | None, str | None), task.name
