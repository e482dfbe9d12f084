/* store/look.c - see the header. */
#include "store/look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LOOK_SECONDS = 30,
	BRIEF_ROWS = 200000, /* read in about a second */
};

/* In memory that both have: a pipe would be one more thing that can fail. */
struct report {
	bool said; /* the last that is set */
	enum err err;
	struct store_facts facts;
	struct cause cause;
};

static _Noreturn void run_child(look_reader *read, const char *path, int fd,
				uint64_t bytes, struct report *report)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
				      SIGABRT };
	const rlim_t seconds = LOOK_SECONDS + (bytes >> 20);
	const struct rlimit none = { 0, 0 }, some = { seconds, seconds };
	int silent = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_CPU, &some);
	for (size_t i = 0; i < COUNT(deadly); i++)
		signal(deadly[i], SIG_DFL);
	if (silent < 0 || dup2(silent, STDOUT_FILENO) < 0 ||
	    dup2(silent, STDERR_FILENO) < 0)
		_exit(1);
	report->err = read(path, fd, &report->facts, &report->cause);
	report->said = true;
	_exit(0);
}

static enum err wait_for(pid_t child, const struct report *report,
			 const char *path, struct store_facts *facts,
			 struct cause *cause)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return cause_errno(cause, "cannot look at it", path);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !report->said)
		return cause_set(
			cause, E_CORRUPT,
			"%.400s: is damaged or cut short, or its disk "
			"is full or fails; free some space, or " STORE_MEND,
			path);
	if (report->err)
		return cause_set(cause, report->err, "%s", report->cause.text);
	*facts = report->facts;
	return E_OK;
}

enum err look_apart(look_reader *read, const char *path, int fd, uint64_t bytes,
		    struct store_facts *facts, struct cause *cause)
{
	struct report *report =
		mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	enum err err;

	*facts = (struct store_facts) { 0 };
	if (report == MAP_FAILED)
		return cause_set(cause, E_MEMORY, "out of memory");
	child = fork();
	if (!child)
		run_child(read, path, fd, bytes, report);
	err = child < 0 ? cause_errno(cause, "cannot look at it", path)
			: wait_for(child, report, path, facts, cause);
	munmap(report, sizeof(*report));
	return err;
}

/* With the list of free pages: whoever writes reads that. */
static enum err read_rows(const char *folder, uint64_t most,
			  struct store_facts *facts, struct cause *cause)
{
	AUTO(db) struct db *db = NULL;
	AUTO(txn) struct txn txn = { 0 };
	struct db_usage usage;
	enum err err = db_open(folder, DB_OPEN, 0, &db, cause);

	if (err)
		return err;
	txn_read(db, &txn);
	db_usage(&txn, &usage);
	if (txn_count(&txn, TABLE_PAT) + txn_count(&txn, TABLE_LOG) > most)
		return E_LIMIT;
	return store_verify(&txn, facts, cause);
}

static enum err read_all(const char *folder, int fd, struct store_facts *facts,
			 struct cause *cause)
{
	(void)fd;
	return read_rows(folder, UINT64_MAX, facts, cause);
}

static enum err read_brief(const char *folder, int fd,
			   struct store_facts *facts, struct cause *cause)
{
	(void)fd;
	return read_rows(folder, BRIEF_ROWS, facts, cause);
}

static enum err look_at(look_reader *read, const char *folder,
			struct store_facts *facts, struct cause *cause)
{
	char path[PATH_MAX];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	(void)!stat(path, &st);
	return look_apart(read, folder, -1, (uint64_t)st.st_size, facts, cause);
}

enum err look_at_store(const char *folder, struct store_facts *facts,
		       struct cause *cause)
{
	return look_at(read_all, folder, facts, cause);
}

enum err look_at_store_briefly(const char *folder, struct store_facts *facts,
			       struct cause *cause)
{
	return look_at(read_brief, folder, facts, cause);
}
