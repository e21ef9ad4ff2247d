/* agent/views/control.h: the control socket RUN_DIR/control.sock: one line of JSON in, one document out, then it is closed.
 * Knows clients and their limits, not what they ask. A slow, silent or hostile client loses only itself: the request is due in
 * 10 s, the answer is to be taken in 120 s, and where there are too many clients the oldest one without a request goes first. */
#ifndef CAMTRAPD_VIEWS_CONTROL_H
#define CAMTRAPD_VIEWS_CONTROL_H
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_CLIENTS_MAX 128
#define CONTROL_REQUEST_MAX 8192	/* octets of a request, without its newline */
#define CONTROL_WAITING_MAX (32u << 20)	/* octets of an answer that wait for one client; past it the client is dropped */
#define CONTROL_WAITING_ALL (64u << 20)	/* for all of them together; past it the one with most is dropped */

struct control;				/* opaque */

/* `line` is borrowed and without its newline. The callee calls control_send() with `id` now or later, any number of times. */
typedef void control_request(void *arg, uint32_t id, uint32_t uid, const char *line, size_t n);
/* Nothing came for this client in time: the callee ends it with control_send(…, more false). */
typedef void control_silent(void *arg, uint32_t id);

/* Takes over `fd`, which listens (proc/rundir.h). NULL: out of memory, `fd` is closed. */
struct control	*control_new(struct event_base *base, int fd, control_request *request, control_silent *silent, void *arg);
/* More of the answer; after the last piece the client is closed when it has everything. A client that is gone: nothing. */
void		 control_send(struct control *c, uint32_t id, const void *p, size_t n, bool more);
/* The answer comes from elsewhere: `silent` is called when no control_send() follows within `seconds`. */
void		 control_wait(struct control *c, uint32_t id, unsigned seconds);
/* Elsewhere is gone: `silent` is called at once for all that wait; one that has a part of its answer loses its connection. */
void		 control_give_up(struct control *c);
/* Ties `p` to a client: `free_p` is called when that is gone (at once if it is gone already). One per client. */
void		 control_keep(struct control *c, uint32_t id, void *p, void (*free_p)(void *p));
/* What was tied to it; NULL: nothing, or no such client. Borrowed. */
void		*control_kept(struct control *c, uint32_t id);
bool		 control_has(const struct control *c, uint32_t id);	/* it is still there */
unsigned	 control_clients(const struct control *c);
void		 control_free(struct control *c);	/* NULL is fine */
#endif
