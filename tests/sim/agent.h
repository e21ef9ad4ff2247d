/* tests/sim/agent.h: an SNMP agent over sorted objects: GET, GETNEXT, GETBULK in v1, v2c and v3. Nothing of the product's own code. */
#ifndef CAMPUS_AGENT_H
#define CAMPUS_AGENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "objects.h"
#include "usm.h"

enum { AGENT_OUT = 4096, AGENT_IN = 4096, AGENT_ROOM = 1400 };

struct agent_counters { uint64_t requests, varbinds_asked, answers, varbinds, reports, refused; };

/* Who answers. */
struct agent {
	const char	*community;	/* NULL: neither v1 nor v2c */
	const struct usm_user *user;	/* NULL: no v3 */
	struct usm_engine *engine;
	/* The objects of a context, which is what follows "@" in a community, or the context name; "" is the default one. NULL: there is
	 * none of that name. */
	struct objects	*(*objects)(void *arg, const char *context, size_t n);
	/* Not answered at all when true of the first name asked for; may be NULL. */
	bool		(*mute)(void *arg, const uint8_t *oid, size_t n);
	void		*arg;
	struct agent_counters *counters;
};

/* Answers one datagram, which is changed. Returns the length of the answer, AGENT_ROOM at most with what surrounds it in v3, and
 * where it begins in `out`. 0: none is due. */
size_t	agent_answer(const struct agent *a, uint8_t *in, size_t n, uint8_t out[static AGENT_OUT], uint8_t **answer);
#endif
