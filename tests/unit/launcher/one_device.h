/* SPDX-License-Identifier: MIT */
/* For the test of one device with one queue: a bus, and a Host that only counts. */
#ifndef LAUNCHER_ONE_DEVICE_H
#define LAUNCHER_ONE_DEVICE_H

#include <semaphore.h>

#include "test.h"

static struct guest_memory m;
static struct complaint c;
static struct bus bus;
static struct device *dev;
static struct queue *q;
static sem_t irq;

int host_irq(unsigned n)
{
	(void)n;
	sem_post(&irq);
	return 0;
}

int host_eventfd(uint32_t gpa, int fd)
{
	(void)gpa;
	(void)fd;
	return 0;
}

int ending_asked(void)
{
	return -1;
}

#endif
