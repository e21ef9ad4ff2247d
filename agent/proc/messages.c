/* agent/proc/messages.c: encoders and decoders, one pair per message. */
#include "proc/messages.h"

#include <errno.h>
#include <string.h>

#include "model/rows.h"

static int
done(struct msg_in *in)
{
	return msg_in_done(in) ? 0 : -EBADMSG;
}

void
msg_peer_encode(struct buf *b, const struct msg_peer *m)
{
	put_u8(b, m->role);
	put_u8(b, m->index);
}

int
msg_peer_decode(struct msg_in *in, struct msg_peer *m)
{
	m->role = get_u8(in);
	m->index = get_u8(in);
	if (m->role < PEER_POLLER || m->role > PEER_VIEWS)
		in->bad = true;
	return done(in);
}

void
msg_process_encode(struct buf *b, const struct msg_process *m)
{
	put_text(b, m->who);
	put_u8(b, m->up);
	put_u32(b, m->restarts);
	put_text(b, m->why);
}

int
msg_process_decode(struct msg_in *in, struct msg_process *m)
{
	get_text_into(in, m->who, sizeof m->who);
	m->up = get_u8(in) != 0;
	m->restarts = get_u32(in);
	get_text_into(in, m->why, sizeof m->why);
	return done(in);
}

void
msg_reload_encode(struct buf *b, const struct msg_reload *m)
{
	put_u64(b, (uint64_t)m->at.us);
	put_u8(b, m->ok);
	put_text(b, m->why);
}

int
msg_reload_decode(struct msg_in *in, struct msg_reload *m)
{
	m->at.us = (int64_t)get_u64(in);
	m->ok = get_u8(in) != 0;
	get_text_into(in, m->why, sizeof m->why);
	return done(in);
}

void
msg_role_encode(struct buf *b, const struct msg_role *m)
{
	put_text(b, m->who);
	put_u8(b, m->state);
	put_u32(b, m->pid);
	put_u32(b, m->restarts);
	put_u8(b, m->looping);
	put_u8(b, m->filtered);
	put_u64(b, (uint64_t)m->since.us);
}

int
msg_role_decode(struct msg_in *in, struct msg_role *m)
{
	get_text_into(in, m->who, sizeof m->who);
	m->state = get_u8(in);
	m->pid = get_u32(in);
	m->restarts = get_u32(in);
	m->looping = get_u8(in) != 0;
	m->filtered = get_u8(in) != 0;
	m->since.us = (int64_t)get_u64(in);
	if (m->state < ROLE_STARTING || m->state > ROLE_WAITING)
		in->bad = true;
	return done(in);
}

void
msg_report_encode(struct buf *b, const struct msg_report *m)
{
	put_u64(b, m->key);
	put_u64(b, m->sum);
	put_u8(b, m->rows);
	put_u8(b, m->state);
	put_u8(b, m->complete);
	put_u8(b, m->restarted);
	put_u64(b, (uint64_t)m->started.us);
	put_u64(b, (uint64_t)m->finished.us);
	put_u64(b, (uint64_t)m->began.ms);
	put_u32(b, m->uptime_cs);
	put_u32(b, m->requests);
	put_u32(b, m->timeouts);
	put_u32(b, m->missed);
	put_text(b, m->credential);
	put_text(b, m->error);
}

int
msg_report_decode(struct msg_in *in, struct msg_report *m)
{
	m->key = get_u64(in);
	m->sum = get_u64(in);
	m->rows = get_u8(in);
	m->state = get_u8(in);
	m->complete = get_u8(in);
	m->restarted = get_u8(in) != 0;
	m->started.us = (int64_t)get_u64(in);
	m->finished.us = (int64_t)get_u64(in);
	m->began.ms = (int64_t)get_u64(in);
	m->uptime_cs = get_u32(in);
	m->requests = get_u32(in);
	m->timeouts = get_u32(in);
	m->missed = get_u32(in);
	get_text_into(in, m->credential, sizeof m->credential);
	get_text_into(in, m->error, sizeof m->error);
	if (m->state < SWITCH_OK || m->state > SWITCH_NEVER || m->rows > REPORT_ROWS || (m->complete & ~ROW_ALL) != 0 || m->began.ms < 0)
		in->bad = true;
	if (m->rows != REPORT_NONE && m->state != SWITCH_OK && m->state != SWITCH_INCOMPLETE)
		in->bad = true;			/* without an answer there are no rows */
	return done(in);
}

void
msg_counters_encode(struct buf *b, const struct msg_counters *m)
{
#define PUT(name, help) put_u64(b, m->name);
	POLLER_COUNTERS(PUT)
#undef PUT
}

int
msg_counters_decode(struct msg_in *in, struct msg_counters *m)
{
#define GET(name, help) m->name = get_u64(in);
	POLLER_COUNTERS(GET)
#undef GET
	return msg_in_done(in) ? 0 : -EBADMSG;
}

void
msg_deliver_encode(struct buf *b, const struct msg_deliver *m)
{
	put_u64(b, m->row);
	put_text(b, m->receiver);
	put_text(b, m->agent);
	event_encode(b, &m->event);
}

int
msg_deliver_decode(struct msg_in *in, struct msg_deliver *m)
{
	m->row = get_u64(in);
	get_text_into(in, m->receiver, sizeof m->receiver);
	get_text_into(in, m->agent, sizeof m->agent);
	if (event_decode(in, &m->event) < 0)
		return -EBADMSG;
	return done(in);
}

void
msg_delivered_encode(struct buf *b, const struct msg_delivered *m)
{
	put_u64(b, m->row);
	put_u8(b, m->result);
	put_u32(b, m->rtt_ms);
	put_text(b, m->why);
}

int
msg_delivered_decode(struct msg_in *in, struct msg_delivered *m)
{
	m->row = get_u64(in);
	m->result = get_u8(in);
	m->rtt_ms = get_u32(in);
	get_text_into(in, m->why, sizeof m->why);
	if (m->result < DELIVERY_ACKNOWLEDGED || m->result > DELIVERY_FAILED)
		in->bad = true;
	return done(in);
}

void
msg_identity_encode(struct buf *b, const struct msg_identity *m)
{
	put_octets(b, m->engine_id, m->engine_id_len);
	put_u32(b, m->boots);
}

int
msg_identity_decode(struct msg_in *in, struct msg_identity *m)
{
	size_t n;
	const uint8_t *p = get_octets(in, &n);

	memset(m, 0, sizeof *m);
	if (p == NULL || n < 5 || n > sizeof m->engine_id)	/* SnmpEngineID is 5 to 32 octets */
		return -EBADMSG;
	memcpy(m->engine_id, p, n);
	m->engine_id_len = (uint8_t)n;
	m->boots = get_u32(in);
	return done(in);
}

void
msg_query_encode(struct buf *b, const struct msg_query *m)
{
	put_u32(b, m->id);
	put_text(b, m->command);
	put_text(b, m->argument);
	put_u8(b, m->all);
	put_u32(b, m->uid);
}

int
msg_query_decode(struct msg_in *in, struct msg_query *m)
{
	m->id = get_u32(in);
	get_text_into(in, m->command, sizeof m->command);
	get_text_into(in, m->argument, sizeof m->argument);
	m->all = get_u8(in) != 0;
	m->uid = get_u32(in);
	return done(in);
}
