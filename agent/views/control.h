/* agent/views/control.h: the control socket RUN_DIR/control.sock: one line of JSON in, one document out, then it is closed.
 * Knows clients and their limits, not what they ask. A slow or silent client loses only itself. */
#ifndef CAMTRAPD_VIEWS_CONTROL_H
#define CAMTRAPD_VIEWS_CONTROL_H
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_CLIENTS_MAX 64
#define CONTROL_REQUEST_MAX 8192
#define CONTROL_WAITING_MAX (256u << 20)	/* octets of an answer that wait for one client; past it the client is dropped */

struct control;				/* opaque */

/* `line` is borrowed and without its newline. The callee calls control_send() with `id` now or later, any number of times. */
typedef void control_request(void *arg, uint32_t id, uint32_t uid, const char *line, size_t n);
/* Nothing came for this client in time: the callee ends it with control_send(…, more false), or nothing happens to it. */
typedef void control_silent(void *arg, uint32_t id);

/* Makes `run_dir` and the socket in it (mode 0660). NULL: it was said why. */
struct control	*control_new(struct event_base *base, const char *run_dir, control_request *request, control_silent *silent, void *arg);
/* More of the answer; after the last piece the client is closed when it has everything. A client that is gone: nothing. */
void		 control_send(struct control *c, uint32_t id, const void *p, size_t n, bool more);
/* The answer comes from elsewhere: `silent` is called when no control_send() follows within `seconds`. */
void		 control_wait(struct control *c, uint32_t id, unsigned seconds);
void		 control_free(struct control *c);	/* unlinks the socket; NULL is fine */
#endif
