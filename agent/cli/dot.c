/* agent/cli/dot.c: nodes are numbered, so that no name of a device becomes more than a label. */
#include "cli/dot.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/page.h"

void
put_dot_text(struct buf *b, const char *text)
{
	size_t size = 2 * strlen(text) + 1;		/* what is not UTF-8 is read as Latin-1, and grows */
	char *clean = malloc(size);

	if (clean == NULL) {
		b->bad = true;
		return;
	}
	text_clean(clean, size, text, strlen(text));	/* no newline is left, which would join lines after a backslash */
	put_u8(b, '"');
	for (const char *p = clean; *p != '\0'; p++) {
		if (*p == '&')
			put_bytes(b, "&amp;", 5);	/* labels know the entities of HTML */
		else {
			if (*p == '"' || *p == '\\')
				put_u8(b, '\\');
			put_u8(b, (uint8_t)*p);
		}
	}
	put_u8(b, '"');
	free(clean);
}

/* "" for what is not known. */
static const char *
text_at(const json_t *o, const char *path)
{
	const char *s = json_string_value(value_at(o, path));

	return s != NULL ? s : "";
}

struct graph {
	struct buf	*b;
	json_t		*numbers;		/* of switches, by name */
	size_t		 n;			/* nodes so far */
};

static void
put_node(struct graph *g, size_t number, const char *label, const char *attributes)
{
	buf_printf(g->b, "\tn%zu [label=", number);
	put_dot_text(g->b, label);
	buf_printf(g->b, "%s];\n", attributes);
}

/* The node of a switch, made when it is named first. */
static size_t
switch_node(struct graph *g, const char *name)
{
	json_t *known = json_object_get(g->numbers, name);

	if (known != NULL)
		return (size_t)json_integer_value(known);
	json_object_set_new(g->numbers, name, json_integer((json_int_t)g->n));
	put_node(g, g->n, name, "");
	return g->n++;
}

/* Something that is no polled switch: a node of its own each time. */
static size_t
strange_node(struct graph *g, const char *label)
{
	put_node(g, g->n, label, ", style=dashed");
	return g->n++;
}

static void
put_edge(struct graph *g, size_t from, const char *tail, size_t to, const char *head, const char *attributes)
{
	buf_printf(g->b, "\tn%zu -- n%zu [taillabel=", from, to);
	put_dot_text(g->b, tail);
	buf_printf(g->b, ", headlabel=");
	put_dot_text(g->b, head);
	buf_printf(g->b, "%s];\n", attributes);
}

static void
put_link(struct graph *g, const json_t *link)
{
	const char *b = text_at(link, "b.switch");
	size_t from = switch_node(g, text_at(link, "a.switch")), to = b[0] != '\0' ? switch_node(g, b) : strange_node(g, "?");

	put_edge(g, from, text_at(link, "a.port"), to, text_at(link, "b.port"),
	    text_at(link, "b.port")[0] == '\0' || text_at(link, "through")[0] != '\0' ? ", style=dotted" : "");
}

static void
put_spot(struct graph *g, const json_t *spot)
{
	const char *kind = text_at(spot, "kind");
	size_t at = switch_node(g, text_at(spot, "switch"));

	if (strcmp(kind, "unpolled-neighbour") == 0)
		put_edge(g, at, text_at(spot, "port"), strange_node(g, text_at(spot, "neighbour.name,neighbour.chassis,neighbour.address")),
		    text_at(spot, "neighbour.port"), ", style=dashed");
	else if (strcmp(kind, "unreachable-switch") == 0)
		buf_printf(g->b, "\tn%zu [color=red];\n", at);
}

void
put_dot(struct buf *b, const json_t *doc)
{
	struct graph g = { .b = b, .numbers = json_object() };
	const json_t *links = json_object_get(doc, "links"), *spots = json_object_get(doc, "blindSpots");

	buf_printf(b, "graph camtrapd {\n\tnode [shape=box];\n");
	for (size_t i = 0; i < json_array_size(links); i++)
		put_link(&g, json_array_get(links, i));
	for (size_t i = 0; i < json_array_size(spots); i++)
		put_spot(&g, json_array_get(spots, i));
	buf_printf(b, "}\n");
	json_decref(g.numbers);
}
