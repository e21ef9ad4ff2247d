/* agent/poller/contexts.h: the VLANs whose tables one switch shows only in a context of their own: which is asked next, and what is
 * remembered of them from poll to poll. Pure: no network. */
#ifndef CAMTRAPD_CONTEXTS_H
#define CAMTRAPD_CONTEXTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/tables.h"

/* So many contexts without an answer, one after another, and the rest of them is left for the next poll (threat-model.md P1). */
enum { CONTEXTS_LOST_MAX = 2 };

struct context {
	uint16_t	vlan;
	bool		access;		/* an access port is in it */
	bool		lost;		/* not answered when last asked */
	uint32_t	asked;		/* number of the poll in which it was asked last; 0: never */
};

/* Zeroed at first. */
struct contexts {
	struct context	*v;		/* in the order of asking */
	size_t		 n, at;		/* `at`: the next */
	uint32_t	 poll;		/* counts contexts_begin() */
	unsigned	 lost;		/* in a row */
	bool		 answered;	/* one of this poll did */
};

/* A poll begins, with these VLANs: first those that answer, of them those that waited longest, of them those of access ports; so
 * what the time of one poll does not reach comes first in the next. What is remembered of other VLANs is forgotten. false: out
 * of memory, there are none. */
bool		 contexts_begin(struct contexts *c, const struct vlan_set *all, const struct vlan_set *access);
/* Takes the next; NULL: all were asked. Borrowed until the next contexts_begin(). */
const struct context *contexts_next(struct contexts *c);
/* What came of the one taken last. */
void		 contexts_result(struct contexts *c, bool answered);
/* True when further ones are not to be asked in this poll. */
bool		 contexts_mute(const struct contexts *c);
void		 contexts_free(struct contexts *c);	/* of what it holds; zeroed again */
#endif
