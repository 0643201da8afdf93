"""Which faults of Kafka's client are worth another try."""

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
)

from clickwise.errors import ClickwiseError, ConfigurationError, TooLargeError, UnavailableError
from streams.kafka import translated


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (KafkaTimeoutError(), UnavailableError),  # its buffer did not empty during an outage
        (KafkaConnectionError(), UnavailableError),
        (NotLeaderForPartitionError(), UnavailableError),
        (KafkaError(), UnavailableError),
        (TimeoutError(), UnavailableError),
        (UnknownTopicOrPartitionError(), ConfigurationError),
        (TopicAuthorizationFailedError(), ConfigurationError),
        (UnsupportedVersionError(), ConfigurationError),
        (MessageSizeTooLargeError(), TooLargeError),
    ],
)
def test_faults_that_pass_are_retryable_and_others_are_not(
    fault: Exception, kind: type[ClickwiseError]
) -> None:
    found = translated(fault, "writing to x")

    assert type(found) is kind
    assert str(found).startswith("writing to x: ")
    assert found.retryable == (kind is UnavailableError)
