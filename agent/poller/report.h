/* agent/poller/report.h: from the tables of a poll to the messages of a report. */
#ifndef CAMTRAPD_REPORT_H
#define CAMTRAPD_REPORT_H
#include "model/rowset.h"
#include "poller/tables.h"
#include "proc/chan.h"
#include "proc/messages.h"

/* The new rows; of kinds not complete, those of `last` as well. 0 or -ENOMEM. */
int	report_rows(const struct tables *t, const struct rowset *last, struct rowset *out);
/* Begin, rows (removed first), end. 0, or a negative errno: the report is not whole, send a snapshot next. */
int	report_put(struct chan *c, const struct msg_report *m, const struct rowset *before, const struct rowset *after);
#endif
