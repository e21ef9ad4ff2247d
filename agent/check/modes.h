/* agent/check/modes.h: from the daemon's documents to what is said of them. Pure: no socket, and the clock is passed in. */
#ifndef CAMTRAPD_CHECK_MODES_H
#define CAMTRAPD_CHECK_MODES_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "check/range.h"
#include "check/result.h"

/* What a mode takes besides the options that all take. */
enum mode_option { TAKES_THRESHOLDS = 1, TAKES_AGES = 2, TAKES_CYCLES = 4, TAKES_SINCE = 8, TAKES_PLACE = 16, TAKES_VENDOR = 32 };

/* What is asked. Texts are borrowed; NULL: any. */
struct question {
	struct range	 warning, critical, warning_age, critical_age;
	unsigned	 cycles;	/* poll intervals after which state is old */
	uint64_t	 since_ms;	/* how far back something is new */
	const char	*site, *switch_name, *vendor;
	struct wall	 now;
};

/* The answers of the daemon (doc/schema/); those that a mode does not want may be NULL. Devices are already those of the site,
 * switch and vendor asked for, switches those of the name. */
enum document { DOCUMENT_STATUS = 1, DOCUMENT_DEVICES = 2, DOCUMENT_SWITCHES = 4 };
struct documents { const json_t *status, *devices, *switches; };

struct mode;				/* opaque */

/* n counts up from 0; NULL: there are no more. */
const struct mode *mode_at(size_t n);
const struct mode *mode_named(const char *name);	/* NULL: no such mode */
const char	*mode_name(const struct mode *m);
const char	*mode_help(const struct mode *m);
unsigned	 mode_takes(const struct mode *m);	/* of enum mode_option */
bool		 mode_is_about_daemon(const struct mode *m);	/* one that does not answer is what it looks for */
/* Which documents it wants for this question, of enum document. */
unsigned	 mode_wants(const struct mode *m, const struct question *q);
/* *r is empty before. A document in which something is missing makes it UNKNOWN, never OK. */
void		 mode_judge(const struct mode *m, const struct question *q, const struct documents *d, struct result *r);
#endif
