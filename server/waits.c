/* server/waits.c - see the header. */
#include "server/waits.h"

#include "server/log.h"
#include "server/metrics.h"

static void say_waiting(const struct db *db)
{
	long pid = db_holder(db);

	if (pid)
		log_event(LEVEL_ERROR, "store",
			  "changes wait: process %ld holds the store's lock; "
			  "end it if it hangs",
			  pid);
	else
		log_event(LEVEL_ERROR, "store",
			  "changes wait: for the disk, or another process "
			  "holds the store's lock (fuser -v %.300s/lock.mdb)",
			  db_folder(db));
}

void waits_look(const struct services *services)
{
	_Atomic bool *said = &services->monitor->waits;
	bool waits = writer_wait(services->writer) >= WRITE_PATIENCE;

	writer_expire(services->writer, WRITE_PATIENCE);
	if (waits && !atomic_exchange(said, true))
		say_waiting(services->db);
	else if (!waits && atomic_exchange(said, false))
		log_event(LEVEL_WARNING, "store", "changes are written again");
}
