/*
 * server/sandbox_calls.c - which system calls there are (seccomp); the only
 * place that includes seccomp.h.
 *
 * Most are allowed by their number alone: for those the kernel (5.11) looks at
 * one bit and does not run the filter. No call makes a process: threads are
 * made by clone(), whose flags can be seen; glibc turns to it when clone3(),
 * whose flags cannot, is not there.
 */
#include "server/sandbox_own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#define C(name) SCMP_SYS(name)

static const int allowed[] = {
	/* what a request costs */
	C(epoll_wait),
	C(epoll_pwait),
	C(epoll_ctl),
	C(read),
	C(readv),
	C(write),
	C(writev),
	C(accept4),
	C(close),
	C(futex),
	/* sockets; socket() is below */
	C(connect),
	C(getpeername),
	C(getsockname),
	C(getsockopt),
	C(poll),
	C(ppoll),
	C(recvfrom),
	C(recvmmsg),
	C(recvmsg),
	C(sendmmsg),
	C(sendmsg),
	C(sendto),
	C(setsockopt),
	C(shutdown),
	C(socketpair),
	/* between threads */
	C(epoll_create1),
	C(eventfd2),
	C(pipe2),
	/* files: which, is Landlock's; none is removed, renamed or executed */
	C(access),
	C(faccessat),
	C(faccessat2),
	C(fdatasync),
	C(flock),
	C(fstat),
	C(fstatfs),
	C(fsync),
	C(ftruncate),
	C(getcwd),
	C(getdents64),
	C(lseek),
	C(lstat),
	C(newfstatat),
	C(open),
	C(openat),
	C(pread64),
	C(preadv),
	C(pwrite64),
	C(pwritev),
	C(readlink),
	C(readlinkat),
	C(stat),
	C(statfs),
	C(statx),
	/* memory; mmap() and mprotect() are below */
	C(brk),
	C(madvise),
	C(mremap),
	C(munmap),
	/* time */
	C(clock_getres),
	C(clock_gettime),
	C(clock_nanosleep),
	C(gettimeofday),
	C(nanosleep),
	C(time),
	/* threads and signals; clone(), tgkill() and rt_sigaction() below */
	C(exit),
	C(exit_group),
	C(restart_syscall),
	C(rseq),
	C(rt_sigprocmask),
	C(rt_sigreturn),
	C(rt_sigtimedwait),
	C(sched_getaffinity),
	C(sched_yield),
	C(set_robust_list),
	/* who and where it is */
	C(getegid),
	C(geteuid),
	C(getgid),
	C(getpid),
	C(getrandom),
	C(getrusage),
	C(gettid),
	C(getuid),
	C(sysinfo),
	C(uname),
};

/*
 * What libraries try and do without; and what harms nobody, in case that a
 * module which looks up names (nsswitch.conf) wants it.
 */
/* clang-format off */
static const struct {
	int error, call;
} refused[] = {
	{ ENOSYS, C(clone3) },
	{ ENOSYS, C(close_range) },
	{ ENOSYS, C(epoll_pwait2) },
	{ ENOSYS, C(fadvise64) },
	{ ENOSYS, C(membarrier) },
	{ ENOSYS, C(openat2) },
	{ EINVAL, C(prctl) },
	{ EPERM, C(dup) }, { EPERM, C(dup3) },
	{ EPERM, C(getgroups) }, { EPERM, C(getppid) },
	{ EPERM, C(getpriority) }, { EPERM, C(setpriority) },
	{ EPERM, C(mlock) }, { EPERM, C(mlock2) }, { EPERM, C(mincore) },
	{ EPERM, C(sched_getparam) }, { EPERM, C(sched_getscheduler) },
	{ EPERM, C(sched_setaffinity) },
	{ EPERM, C(inotify_init1) }, { EPERM, C(timerfd_create) },
	{ EPERM, C(sigaltstack) }, { EPERM, C(signalfd4) },
	{ EPERM, C(times) }, { EPERM, C(umask) },
	{ EPERM, C(unlink) }, { EPERM, C(unlinkat) }, /* at the end */
};
/* clang-format on */

enum {
	THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		 CLONE_THREAD,
	WRITE_EXEC = PROT_WRITE | PROT_EXEC,
	SOCKET_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK,
	LIBC_SIGNALS =
		32, /* this one and the next: pthread_cancel(), setuid() */
};

/*
 * Allowed, or failing with `error`, if the arguments are so. What is in no row
 * ends the process.
 */
#define ARG(n, op, a, b)   ((struct scmp_arg_cmp) { n, op, a, b })
#define IS(n, value)	   ARG(n, SCMP_CMP_EQ, (unsigned)(value), 0)
#define HAS(n, mask, bits) ARG(n, SCMP_CMP_MASKED_EQ, mask, bits)
#define SOCKET(family, type)                                                   \
	{                                                                      \
		0, C(socket),                                                  \
		{                                                              \
			IS(0, family), HAS(1, ~(unsigned)SOCKET_FLAGS, type)   \
		}                                                              \
	}
/* clang-format off */
static const struct {
	int error, call;
	struct scmp_arg_cmp args[2]; /* a second one that is zero: none */
} conditions[] = {
	{ 0, C(clone), { HAS(0, THREAD, THREAD) } },
	/* never F_SETOWN, F_SETSIG and O_ASYNC: signals to others */
	{ 0, C(fcntl), { IS(1, F_GETFD) } },
	{ 0, C(fcntl), { IS(1, F_SETFD) } },
	{ 0, C(fcntl), { IS(1, F_GETFL) } },
	{ 0, C(fcntl), { IS(1, F_SETFL), HAS(2, O_ASYNC, 0) } },
	{ 0, C(fcntl), { IS(1, F_GETLK) } }, /* LMDB, store/holder.c */
	{ 0, C(fcntl), { IS(1, F_SETLK) } },
	/* never what can be written and executed: MemoryDenyWriteExecute= */
	{ 0, C(mmap), { HAS(2, WRITE_EXEC, 0) } },
	{ 0, C(mmap), { HAS(2, WRITE_EXEC, PROT_WRITE) } },
	{ 0, C(mmap), { HAS(2, WRITE_EXEC, PROT_EXEC) } },
	{ 0, C(mprotect), { HAS(2, PROT_EXEC, 0) } },
	SOCKET(AF_INET, SOCK_STREAM), SOCKET(AF_INET, SOCK_DGRAM),
	SOCKET(AF_INET6, SOCK_STREAM), SOCKET(AF_INET6, SOCK_DGRAM),
	SOCKET(AF_UNIX, SOCK_STREAM), SOCKET(AF_UNIX, SOCK_DGRAM),
	/* getaddrinfo() asks netlink, and does without */
	{ EAFNOSUPPORT, C(socket), { ARG(0, SCMP_CMP_GT, AF_INET6, 0) } },
	{ 0, C(ioctl), { IS(1, FIONREAD) } },
	{ 0, C(ioctl), { IS(1, FIONBIO) } },
	{ 0, C(ioctl), { IS(1, SIOCOUTQ) } }, /* of a connection that idles */
	{ 0, C(ioctl), { IS(1, SIOCGIFINDEX) } }, /* fe80::1%eth0 */
	{ 0, C(ioctl), { IS(1, SIOCGIFNAME) } },  /* of a peer's */
	{ ENOTTY, C(ioctl), { IS(1, TCGETS) } },
	{ 0, C(prlimit64), { IS(2, 0) } }, /* read */
	{ 0, C(prlimit64), { IS(0, 0), IS(1, RLIMIT_NOFILE) } }, /* a reload */
	{ 0, C(rt_sigaction), { IS(0, LIBC_SIGNALS) } },
	{ 0, C(rt_sigaction), { IS(0, LIBC_SIGNALS + 1) } },
	{ EPERM, C(rt_sigaction), { ARG(0, SCMP_CMP_LT, SIGSYS, 0) } },
};
/* clang-format on */

static int add_conditions(scmp_filter_ctx filter)
{
	int bad = 0;

	for (size_t i = 0; i < COUNT(conditions) && !bad; i++)
		bad = seccomp_rule_add_array(
			filter,
			conditions[i].error
				? SCMP_ACT_ERRNO((unsigned)conditions[i].error)
				: SCMP_ACT_ALLOW,
			conditions[i].call, conditions[i].args[1].op ? 2 : 1,
			conditions[i].args);
	/* abort() sends a signal to this process, and to no other. */
	return bad ? bad
		   : seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(tgkill), 1,
				      IS(0, getpid()));
}

static int add_all(scmp_filter_ctx filter)
{
	int bad = 0;

	for (size_t i = 0; i < COUNT(allowed) && !bad; i++)
		bad = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < COUNT(refused) && !bad; i++)
		bad = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO((unsigned)refused[i].error),
			refused[i].call, 0);
	return bad ? bad : add_conditions(filter);
}

/* Nothing that a signal's handler may not call. */
static void on_forbidden(int number, siginfo_t *info, void *context)
{
	static const char before[] =
		"dockpass: the sandbox has ended it: no thread of it makes "
		"system call ";
	static const char after[] =
		"; if that was no attack, report it, and set sandbox: false\n";
	char digits[10], line[sizeof(before) + sizeof(digits) + sizeof(after)];
	size_t at = sizeof(digits);
	unsigned call = (unsigned)info->si_syscall;

	(void)number, (void)context;
	do
		digits[--at] = (char)('0' + call % 10);
	while (call /= 10);
	memcpy(line, before, sizeof(before) - 1);
	memcpy(line + sizeof(before) - 1, digits + at, sizeof(digits) - at);
	memcpy(line + sizeof(before) - 1 + sizeof(digits) - at, after,
	       sizeof(after) - 1);
	(void)!write(STDERR_FILENO, line, sizeof(line) - 2 - at);
	_exit(1);
}

/* TSYNC: should a library have made a thread, it is in it, too. */
static int load(scmp_filter_ctx filter)
{
	const struct sigaction action = { .sa_sigaction = on_forbidden,
					  .sa_flags = SA_SIGINFO };
	static const struct {
		enum scmp_filter_attr attr;
		uint32_t value;
	} attrs[] = {
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS },
		{ SCMP_FLTATR_CTL_TSYNC, 1 },
		{ SCMP_FLTATR_CTL_OPTIMIZE, 2 }, /* a binary tree */
	};
	int bad = 0;

	for (size_t i = 0; i < COUNT(attrs) && !bad; i++)
		bad = seccomp_attr_set(filter, attrs[i].attr, attrs[i].value);
	if (!bad)
		bad = add_all(filter);
	if (!bad && sigaction(SIGSYS, &action, NULL))
		bad = -errno;
	return bad ? bad : seccomp_load(filter);
}

bool calls_restrict(char said[SANDBOX_SAID])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int bad = filter ? load(filter) : -ENOMEM;

	seccomp_release(filter);
	if (bad)
		snprintf(said, SANDBOX_SAID, "seccomp (%s)", strerror(-bad));
	else
		snprintf(said, SANDBOX_SAID, "seccomp");
	return !bad;
}
