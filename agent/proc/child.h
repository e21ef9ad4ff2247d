/* agent/proc/child.h: how a role process starts, and what it hears from the parent. */
#ifndef CAMTRAPD_CHILD_H
#define CAMTRAPD_CHILD_H
#include <event2/event.h>

#include "proc/chan.h"
#include "proc/messages.h"

#define CHILD_FD 3			/* the channel to the parent, inherited */

struct child_ops {
	/* A configuration (first and at each reload): encoded, borrowed. A negative return ends the process. */
	int	(*configure)(void *arg, const void *conf, size_t n);
	/* A new end of a channel to another role; the callee owns `fd`. An older one to the same peer is void. */
	void	(*peer)(void *arg, enum peer_role role, unsigned index, int fd);
	/* views only: the listening control socket, which the callee owns, once and before its configuration; may be NULL */
	void	(*listen)(void *arg, int fd);
	/* engine only; may be NULL */
	void	(*process)(void *arg, const struct msg_process *m);
	/* Finish what is open; the loop is left after it returns. May be NULL. */
	void	(*stop)(void *arg);
	/* engine only, for `status`; may be NULL */
	void	(*reload)(void *arg, const struct msg_reload *m);
	void	(*role)(void *arg, const struct msg_role *m);
};

/* Which role this process has; before its entry point is called. */
void	child_is(enum peer_role role);

/* Runs a role's life on `base` until the parent says stop or goes away: drops rights, receives configuration and peers,
 * answers pings. Sockets to the network are opened before; nothing is read from them earlier. Returns the exit status. */
int	child_run(struct event_base *base, const struct child_ops *ops, void *arg);
/* Tells the parent that the role works; once. */
void	child_ready(void);

/* The roles' entry points, called by main() after exec. They return the exit status. */
int	poller_main(unsigned index);
int	engine_main(void);
int	notify_main(void);
int	views_main(void);
#endif
