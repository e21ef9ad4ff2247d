/* agent/notify/notify.c: the notify role: rows of the outbox come from the engine, one try each goes out, its result goes back.
 * Retries, order and what to keep are the engine's business. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/conf.h"
#include "notify/resolve.h"
#include "notify/snmp_notify.h"
#include "proc/chan.h"
#include "proc/child.h"
#include "proc/messages.h"

struct receiver {				/* stays where it is: its target and its look-up point to it */
	struct receiver			*next;
	const struct conf_receiver	*conf;
	struct snmp_target		*target;	/* NULL: `why` */
	struct resolve			*resolve;	/* NULL: its address is a literal one */
	const char			*why;
};

struct notify {
	struct event_base	*base;
	struct conf		*conf;
	struct snmp_notify	*snmp;			/* NULL until the identity is known */
	struct receiver		*receivers;		/* in the order of the configuration */
	struct chan		*engine;
	uint64_t		 refused, dropped;
};

static void
tell(struct notify *n, uint64_t row, enum delivery result, uint32_t rtt_ms, const char *why)
{
	struct msg_delivered m = { .row = row, .result = (uint8_t)result, .rtt_ms = rtt_ms };
	struct buf b = { 0 };

	snprintf(m.why, sizeof m.why, "%s", why);
	msg_delivered_encode(&b, &m);
	/* A result that cannot be told is no loss: the engine tries the row again. */
	if (n->engine == NULL || b.bad || chan_put(n->engine, MSG_DELIVERED, &b) < 0)
		n->dropped++;
	buf_free(&b);
}

/* A name may lead elsewhere by now. */
static void
sent_cb(void *arg, void *owner, uint64_t row, enum notify_result result, uint32_t rtt_ms, const char *why)
{
	static const enum delivery of[] = { [NOTIFY_ACKNOWLEDGED] = DELIVERY_ACKNOWLEDGED, [NOTIFY_SENT] = DELIVERY_SENT,
	    [NOTIFY_TIMED_OUT] = DELIVERY_TIMED_OUT, [NOTIFY_REFUSED] = DELIVERY_REFUSED, [NOTIFY_FAILED] = DELIVERY_FAILED };

	struct receiver *r = owner;

	tell(arg, row, of[result], rtt_ms, why);
	if (result == NOTIFY_TIMED_OUT && r->resolve != NULL)
		resolve_again(r->resolve);
}

static void
found_cb(void *arg, const struct ip_port *addresses, size_t n, const char *why)
{
	struct receiver *r = arg;
	char told[96];

	if (n > 0) {
		snmp_target_addresses(r->target, addresses, n);
		return;
	}
	snprintf(told, sizeof told, "%.40s: %.50s", r->conf->host, why);
	snmp_target_unresolved(r->target, told);
}

static void
receivers_free(struct receiver *list)
{
	for (struct receiver *r; (r = list) != NULL;) {
		list = r->next;
		resolve_free(r->resolve);
		r->resolve = NULL;	/* sent_cb() is called once more */
		snmp_target_free(r->target);
		free(r);
	}
}

static void
receiver_open(struct notify *n, struct receiver *r)
{
	const struct conf_credential *cred = r->conf->credential != NULL ? conf_credential(n->conf, r->conf->credential) : NULL;

	struct ip_port literal = { .port = r->conf->port };

	r->why = "its credential is not known";
	if (cred == NULL || (r->target = snmp_target_new(n->snmp, cred, r->conf->inform, r->conf->source_address, r, &r->why)) == NULL) {
		log_warnx("receiver %s: %s; nothing can be sent to it", r->conf->name, r->why);
	} else if (ip_parse(r->conf->host, &literal.ip) == 0) {
		snmp_target_addresses(r->target, &literal, 1);
	} else if ((r->resolve = resolve_new(n->base, r->conf->host, r->conf->port, r->conf->source_address.family, found_cb, r)) == NULL) {
		r->why = "out of memory";
		log_warnx("receiver %s: out of memory; nothing can be sent to it", r->conf->name);
		snmp_target_free(r->target);
		r->target = NULL;
	}
}

/* Taken out of the list: the receiver that works as `to` of `conf` says. NULL: there is none. */
static struct receiver *
receiver_take(struct receiver **list, const struct conf *old, const struct conf *conf, const struct conf_receiver *to)
{
	for (struct receiver **p = list, *r; (r = *p) != NULL; p = &r->next) {
		if (r->target == NULL || !conf_same_receiver(old, r->conf, conf, to))
			continue;
		*p = r->next;
		r->next = NULL;
		return r;
	}
	return NULL;
}

/* When both the configuration and our identity are known. Who is defined as before keeps what is in flight, his session, and what
 * is known of his engine. `old` has the receivers there are; NULL: there are none. */
static void
receivers_open(struct notify *n, const struct conf *old)
{
	struct receiver *before = n->receivers, **end = &n->receivers;

	assert(old != NULL || before == NULL);
	n->receivers = NULL;
	for (size_t i = 0; n->conf != NULL && n->snmp != NULL && i < n->conf->n_receivers; i++) {
		const struct conf_receiver *c = &n->conf->receivers[i];
		struct receiver *r = old != NULL ? receiver_take(&before, old, n->conf, c) : NULL;

		if (r != NULL) {
			snmp_target_keep(r->target, conf_credential(n->conf, c->credential));
			r->conf = c;
		} else if ((r = calloc(1, sizeof *r)) == NULL) {
			log_warnx("receiver %s: out of memory: nothing can be sent to it until the next reload", c->name);
			continue;
		} else {
			r->conf = c;
			receiver_open(n, r);
		}
		*end = r;
		end = &r->next;
	}
	receivers_free(before);
}

static void
identity_received(struct notify *n, const struct msg_identity *m)
{
	if (n->snmp != NULL) {
		if (snmp_notify_identity(n->snmp, m->engine_id, m->engine_id_len, m->boots) < 0) {
			log_error("our SNMP engine id changed; starting again with the new one");
			event_base_loopbreak(n->base);	/* the parent starts us anew */
		}
		return;
	}
	if ((n->snmp = snmp_notify_new(n->base, m->engine_id, m->engine_id_len, m->boots, sent_cb, n)) == NULL) {
		log_error("SNMP engine id of %u octets cannot be used: no notification can be sent", m->engine_id_len);
		return;
	}
	receivers_open(n, NULL);
}

static void
deliver(struct notify *n, const struct msg_deliver *m)
{
	for (struct receiver *r = n->receivers; r != NULL; r = r->next) {
		if (strcmp(r->conf->name, m->receiver) != 0)
			continue;
		if (r->target == NULL)
			tell(n, m->row, DELIVERY_FAILED, 0, r->why);
		else
			snmp_notify_send(r->target, m->row, n->conf->mib_root, m->agent, &m->event);
		return;
	}
	tell(n, m->row, DELIVERY_FAILED, 0, n->snmp == NULL ? "our SNMP engine id is not known yet" : "no such receiver");
}

static void
engine_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	static long long last_ms;
	struct notify *n = arg;
	struct msg_identity identity;
	struct msg_deliver row;

	(void)c;
	if (fd >= 0)
		close(fd);
	if (type == MSG_IDENTITY && msg_identity_decode(body, &identity) == 0) {
		identity_received(n, &identity);
	} else if (type == MSG_DELIVER && msg_deliver_decode(body, &row) == 0) {
		deliver(n, &row);
	} else {
		n->refused++;
		if (log_limit(&last_ms))
			log_warnx("message of type %u from the engine refused (%llu so far)", type, (unsigned long long)n->refused);
	}
}

static void
engine_closed(void *arg, struct chan *c)
{
	struct notify *n = arg;

	chan_free(c);
	if (n->engine == c)
		n->engine = NULL;
}

static const struct chan_ops engine_ops = { engine_message, engine_closed, NULL };

static int
configure(void *arg, const void *conf, size_t size)
{
	struct notify *n = arg;
	struct conf *c = conf_decode(conf, size), *old = n->conf;

	if (c == NULL) {
		log_error("the configuration from the parent cannot be read");
		return -EINVAL;
	}
	n->conf = c;
	receivers_open(n, old);		/* they borrow from the old one until now */
	conf_free(old);
	child_ready();
	return 0;
}

static void
peer(void *arg, enum peer_role role, unsigned index, int fd)
{
	struct notify *n = arg;

	(void)index;
	if (role != PEER_ENGINE) {
		close(fd);
		return;
	}
	chan_free(n->engine);
	if ((n->engine = chan_new(n->base, fd, &engine_ops, n)) == NULL)
		log_warnx("out of memory: no channel to the engine");
}

int
notify_main(void)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer };
	struct notify n = { .base = event_base_new() };
	int status;

	if (n.base == NULL)
		fatal("no event base");
	status = child_run(n.base, &ops, &n);
	receivers_free(n.receivers);
	snmp_notify_free(n.snmp);
	chan_free(n.engine);
	conf_free(n.conf);
	event_base_free(n.base);
	return status;
}
