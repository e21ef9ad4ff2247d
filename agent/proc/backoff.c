/* agent/proc/backoff.c: a few ends are answered at once; a crash loop is answered more and more slowly, until a life was steady. */
#include "proc/backoff.h"

int64_t
backoff_ended(struct backoff *b, struct mono started, struct mono now)
{
	if (mono_since(started, now) > BACKOFF_STEADY_MS)
		*b = (struct backoff){ 0 };
	/* In a loop the waits outgrow the window; only a steady life leads out of it. */
	if (b->ends == 0 || (b->loop_ms == 0 && mono_since(b->window, now) > BACKOFF_WINDOW_MS)) {
		b->ends = 0;
		b->window = now;
	}
	if (++b->ends <= BACKOFF_ENDS)
		return BACKOFF_FIRST_MS;
	b->loop_ms = b->loop_ms == 0 ? BACKOFF_LOOP_MS : 2 * b->loop_ms;
	if (b->loop_ms > BACKOFF_MAX_MS)
		b->loop_ms = BACKOFF_MAX_MS;
	return b->loop_ms;
}

bool
backoff_loops(const struct backoff *b)
{
	return b->loop_ms > 0;
}
