"""Runs the producer of document C as it is printed there, in a network where its host name leads to a RabbitMQ."""
import os
import socket

resolve = socket.getaddrinfo


def getaddrinfo(host, port, *rest, **named):
    if host == 'rabbitmq':
        host, port = os.environ['RABBITMQ_HOST'], int(os.environ['RABBITMQ_PORT'])
    return resolve(host, port, *rest, **named)


socket.getaddrinfo = getaddrinfo

import producer  # noqa: E402

for _ in range(int(os.environ['TIMES'])):
    producer.create_task_via_rabbitmq()
