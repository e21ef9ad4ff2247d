/* agent/proc/backoff.h: how long to wait before a process that ended is started again (threat-model H2), pure. */
#ifndef CAMTRAPD_BACKOFF_H
#define CAMTRAPD_BACKOFF_H
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LOOP_MS 1000		/* the first wait of a crash loop; doubled each time */
#define BACKOFF_MAX_MS 60000
#define BACKOFF_ENDS 5			/* more ends than this in BACKOFF_WINDOW_MS are a crash loop */
#define BACKOFF_WINDOW_MS 60000
#define BACKOFF_STEADY_MS 60000		/* a life longer than this forgives all earlier ends */

/* Zero it to begin. */
struct backoff {
	struct mono	window;		/* when the first of `ends` was */
	unsigned	ends;
	int64_t		loop_ms;	/* last wait in a crash loop; 0: in none */
};

/* A process that started at `started` ended now, or could not be started. Milliseconds to wait. */
int64_t	backoff_ended(struct backoff *b, struct mono started, struct mono now);
/* Whether that was a crash loop. */
bool	backoff_loops(const struct backoff *b);
#endif
