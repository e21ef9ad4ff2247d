/* agent/poller/contexts.c */
#include "poller/contexts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int
order_cmp(const void *pa, const void *pb)
{
	const struct context *a = pa, *b = pb;

	if (a->lost != b->lost)
		return a->lost ? 1 : -1;
	if (a->asked != b->asked)
		return a->asked < b->asked ? -1 : 1;
	if (a->access != b->access)
		return a->access ? -1 : 1;
	return (int)a->vlan - (int)b->vlan;
}

bool
contexts_begin(struct contexts *c, const struct vlan_set *all, const struct vlan_set *access)
{
	struct vlan_set known = { 0 };
	struct context *v;
	size_t n = 0, count = 0;

	c->at = c->lost = 0;
	c->answered = false;
	c->poll++;
	if (c->n == 0 && memcmp(all, &known, sizeof known) == 0)
		return true;			/* mostly: the switch has no such contexts */
	for (unsigned vlan = 1; vlan <= VLAN_MAX; vlan++)
		count += vlan_in(all, vlan);
	if ((v = calloc(count + 1, sizeof *v)) == NULL) {
		c->n = 0;
		return false;
	}
	for (size_t i = 0; i < c->n; i++)
		if (vlan_in(all, c->v[i].vlan)) {
			v[n] = c->v[i];
			v[n++].access = vlan_in(access, c->v[i].vlan);
			vlan_add(&known, c->v[i].vlan);
		}
	for (unsigned vlan = 1; vlan <= VLAN_MAX; vlan++)
		if (vlan_in(all, vlan) && !vlan_in(&known, vlan))
			v[n++] = (struct context){ .vlan = (uint16_t)vlan, .access = vlan_in(access, vlan) };
	assert(n == count);
	qsort(v, n, sizeof *v, order_cmp);
	free(c->v);
	c->v = v;
	c->n = n;
	return true;
}

const struct context *
contexts_next(struct contexts *c)
{
	assert(c->at <= c->n);
	if (c->at == c->n)
		return NULL;
	c->v[c->at].asked = c->poll;
	return &c->v[c->at++];
}

void
contexts_result(struct contexts *c, bool answered)
{
	assert(c->at > 0);
	c->v[c->at - 1].lost = !answered;
	c->lost = answered ? 0 : c->lost + 1;
	c->answered = c->answered || answered;
}

bool
contexts_mute(const struct contexts *c)
{
	return c->lost >= CONTEXTS_LOST_MAX;
}

void
contexts_free(struct contexts *c)
{
	free(c->v);
	*c = (struct contexts){ 0 };
}
