"""Celery's settings that keep jobs safe, and messages as they lie in Redis."""

import json

import pytest
from redis import Redis

from casekin.errors import Unavailable
from services.projector.jobs.broker import Publisher, create_celery, job_of
from services.projector.jobs.kinds import JobKind
from services.projector.settings import ProjectorSettings

KINDS = {
    "map.fit": JobKind("map.fit", "maps", limit_s=600, max_retries=3),
    "rollout": JobKind("rollout", "interactive", limit_s=60, max_retries=3),
}


def test_celery__loses_nothing_with_a_worker_and_takes_json_only(settings: ProjectorSettings) -> None:
    conf = create_celery(settings, KINDS).conf
    assert conf.broker_url == settings.redis_url
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert (conf.task_serializer, conf.result_serializer, conf.accept_content) == ("json", "json", ["json"])
    assert conf.task_ignore_result
    assert not conf.worker_enable_remote_control
    assert not conf.worker_send_task_events
    assert not conf.worker_redirect_stdouts
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_connection_max_retries is None
    assert conf.timezone == "UTC"


def test_celery__brings_no_message_back_before_the_longest_job_is_killed(settings: ProjectorSettings) -> None:
    options = create_celery(settings, KINDS).conf.broker_transport_options
    assert options["visibility_timeout"] == 600 + 10 + 60


def test_celery__waits_for_redis_for_seconds_only(settings: ProjectorSettings) -> None:
    conf = create_celery(settings, KINDS).conf
    options = {name: conf.broker_transport_options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    assert options == {"socket_timeout": 10, "socket_connect_timeout": 2}
    assert (conf.broker_connection_timeout, conf.broker_transport_options["max_retries"]) == (2, 1)
    assert conf.broker_transport_options["health_check_interval"] == 10
    assert conf.task_publish_retry_policy == {"max_retries": 1, "interval_start": 0.05, "interval_max": 0.2}
    assert (conf.worker_proc_alive_timeout, conf.worker_soft_shutdown_timeout) == (600, 3.0)


def test_message__names_the_job_on_the_queue_of_its_kind(redis: Redis, settings: ProjectorSettings) -> None:
    publisher = Publisher(create_celery(settings, KINDS), KINDS)
    publisher.publish("job-a", "map.fit")
    publisher.publish("job-a", "map.fit")
    publisher.publish("job-b", "rollout")
    publisher.close()
    fits = [json.loads(text) for text in redis.lrange("maps", 0, -1)]
    assert redis.llen("interactive") == 1
    ids = [message["headers"]["id"] for message in fits]
    assert len(set(ids)) == 2, "deliveries can be told apart"
    assert {job_of(one) for one in ids} == {"job-a"}
    assert {message["headers"]["task"] for message in fits} == {"map.fit"}
    assert {message["headers"]["ignore_result"] for message in fits} == {True}
    assert all(message["content-type"] == "application/json" for message in fits)


def test_publish__without_redis_is_unavailable() -> None:
    settings = ProjectorSettings(redis_url="redis://127.0.0.1:9/0")
    publisher = Publisher(create_celery(settings, KINDS), KINDS)
    with pytest.raises(Unavailable, match=r"the job queue \(Redis\) does not answer; try again") as raised:
        publisher.publish("a", "rollout")
    assert raised.value.retry_after_s == 2


def test_job_of__is_what_stands_before_the_slash() -> None:
    assert (job_of("abc/1234"), job_of("abc"), job_of("a/b/c")) == ("abc", "abc", "a")
