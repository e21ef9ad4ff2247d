/* agent/base/clock.h: two kinds of time that do not mix.
 * struct mono is for waiting and ageing (never jumps); struct wall is for people and records. */
#ifndef CAMTRAPD_CLOCK_H
#define CAMTRAPD_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

struct mono { int64_t ms; };		/* since an unspecified start; CLOCK_MONOTONIC */
struct wall { int64_t us; };		/* microseconds since 1970-01-01 UTC; 0: not known */

#define WALL_TEXT 32			/* octets for wall_text(), NUL included */

/* The only two clocks there are. */
struct mono	mono_now(void);
struct wall	wall_now(void);

/* False: earlier than the day on which this program was built, so that nobody has set the clock yet. */
bool		wall_is_set(struct wall t);

/* `t` plus `ms`. */
struct mono	mono_add(struct mono t, int64_t ms);
/* Milliseconds from `from` to `to`; negative when `to` is earlier. */
int64_t		mono_since(struct mono from, struct mono to);

/* RFC 3339 in UTC with milliseconds, "2026-11-24T00:21:11.042Z", into `out`, which it returns. Time 0: "never". */
const char	*wall_text(struct wall t, char out[static WALL_TEXT]);
/* The reverse; also takes a bare date (midnight UTC). 0: stored. -EINVAL: not a time, or no such day; *out is untouched. */
int		wall_parse(const char *text, struct wall *out);
#endif
