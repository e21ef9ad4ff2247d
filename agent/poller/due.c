/* agent/poller/due.c: phases by monotonic time, so that no step of the wall clock moves a poll (threat-model.md R8, S5). */
#include "poller/due.h"

#include <assert.h>

#include "base/num.h"

/* Switches are polled in so many groups: of those that are asked together the answers are read together, at half the cost. */
enum { GROUPS = 32 };

int64_t
due_poll(uint64_t key, uint32_t interval_s, struct mono began, struct mono now)
{
	int64_t interval = (int64_t)interval_s * 1000, phase, next;

	assert(interval > 0 && began.ms >= 0 && mono_since(began, now) >= 0);
	/* Mixed: the remainder of the key has chosen the poller, and its high bits are much the same for names that are. */
	phase = (int64_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % GROUPS * interval / GROUPS;
	next = began.ms - began.ms % interval + phase;
	if (next <= began.ms)
		next += interval;
	return next > now.ms ? next - now.ms : 0;
}

int64_t
due_ping(unsigned pings, uint32_t interval_s)
{
	static const int64_t wait_ms[] = { 30000, 60000, 120000, 300000 };
	int64_t wait = wait_ms[pings < nitems(wait_ms) ? pings : nitems(wait_ms) - 1], interval = (int64_t)interval_s * 1000;

	return wait < interval ? wait : interval;
}
