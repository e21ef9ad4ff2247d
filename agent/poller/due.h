/* agent/poller/due.h: when a switch is asked next. Pure: time comes in. */
#ifndef CAMTRAPD_DUE_H
#define CAMTRAPD_DUE_H
#include <stdint.h>

#include "base/clock.h"

/* Milliseconds from `now` until the next poll of a switch whose last one began at `began` (never later than `now`): each switch
 * has one of 32 phases in the interval, by its key, and keeps it over restarts. 0: its time went by during a long poll. */
int64_t	due_poll(uint64_t key, uint32_t interval_s, struct mono began, struct mono now);

/* The same for a switch that did not answer, after `pings` pings in vain: 30 s, 1, 2, then every 5 min (contract.md), but no
 * rarer than it would be polled. */
int64_t	due_ping(unsigned pings, uint32_t interval_s);
#endif
