/* agent/proc/chan.h: one end of a socket pair between two of our processes (SOCK_SEQPACKET on libevent).
 * A packet is at most 64 KiB of messages: type u16, version u16, length u32, body. Packets that break that form are
 * counted and dropped whole. Messages put between two turns of the loop leave in as few packets as possible. */
#ifndef CAMTRAPD_CHAN_H
#define CAMTRAPD_CHAN_H
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define CHAN_PACKET_MAX 65536
#define CHAN_BODY_MAX (CHAN_PACKET_MAX - 8)
#define CHAN_VERSION 1
#define CHAN_QUEUE_MAX (16u << 20)	/* octets waiting to be sent; past a quarter of it chan_busy() says so */

struct chan;				/* opaque */

struct chan_ops {
	/* `body` is borrowed for the call. `fd` is -1 or a descriptor that now belongs to the callee. */
	void	(*message)(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd);
	/* The other end has gone. The callee frees the channel (or leaves the process). */
	void	(*closed)(void *arg, struct chan *c);
	/* It was busy and is not any more; may be NULL. */
	void	(*drained)(void *arg, struct chan *c);
};

/* Takes over `fd`. NULL: out of memory. */
struct chan *chan_new(struct event_base *base, int fd, const struct chan_ops *ops, void *arg);
void	chan_free(struct chan *c);	/* closes the descriptor; NULL is fine */
/* Copies the body. 0; -EMSGSIZE: over CHAN_BODY_MAX; -ENOBUFS: the queue is full, the other end has gone, or out of memory.
 * An error means that nothing was taken. */
int	chan_put(struct chan *c, uint16_t type, const struct buf *body);
/* The same with a descriptor, which is duplicated. Also -EMFILE: we have too many open. */
int	chan_put_fd(struct chan *c, uint16_t type, const struct buf *body, int fd);
/* True when the other side is slow: stop producing until `drained`. */
bool	chan_busy(const struct chan *c);
/* Sends what waits, as far as the socket takes it; the loop does it by itself. */
void	chan_flush(struct chan *c);
/* Packets dropped as malformed. */
uint64_t chan_refused(const struct chan *c);
#endif
