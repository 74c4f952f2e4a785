// Rights as objects that own them, threads, optionals, exceptions.
#include <mach/mach.h>
#include <servers/bootstrap.h>

#include <atomic>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ipc {

class error : public std::runtime_error {
public:
	error(const char *what, kern_return_t code)
	    : std::runtime_error(std::string(what) + ": " + mach_error_string(code)), code(code) {}
	kern_return_t code;
};

inline void check(const char *what, kern_return_t code)
{
	if (code != KERN_SUCCESS)
		throw error(what, code);
}

class receive_right {
public:
	receive_right()
	{
		check("allocate",
		      mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &name_));
	}
	receive_right(receive_right &&other) noexcept
	    : name_(std::exchange(other.name_, MACH_PORT_NULL)) {}
	receive_right(const receive_right &) = delete;
	~receive_right()
	{
		if (MACH_PORT_VALID(name_))
			mach_port_mod_refs(mach_task_self(), name_, MACH_PORT_RIGHT_RECEIVE, -1);
	}
	mach_port_t get() const { return name_; }

private:
	mach_port_t name_{MACH_PORT_NULL};
};

class send_right {
public:
	explicit send_right(mach_port_t name) : name_(name) {}
	explicit send_right(const receive_right &right) : name_(right.get())
	{
		check("insert", mach_port_insert_right(mach_task_self(), name_, name_,
						       MACH_MSG_TYPE_MAKE_SEND));
	}
	send_right(send_right &&other) noexcept
	    : name_(std::exchange(other.name_, MACH_PORT_NULL)) {}
	~send_right()
	{
		if (MACH_PORT_VALID(name_))
			mach_port_deallocate(mach_task_self(), name_);
	}
	mach_port_t get() const { return name_; }

private:
	mach_port_t name_;
};

template <typename T> struct message {
	mach_msg_header_t header{};
	T payload{};
};

template <typename T> void send(const send_right &to, const T &payload)
{
	message<T> m;
	m.header.msgh_bits = MACH_MSGH_BITS_SET(MACH_MSG_TYPE_COPY_SEND, 0, 0, 0);
	m.header.msgh_size = sizeof(m);
	m.header.msgh_remote_port = to.get();
	m.payload = payload;
	check("send", mach_msg(&m.header, MACH_SEND_MSG, sizeof(m), 0, MACH_PORT_NULL,
			       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
}

template <typename T>
std::optional<T> receive(const receive_right &from, std::optional<mach_msg_timeout_t> ms = {})
{
	struct : message<T> {
		mach_msg_max_trailer_t trailer{};
	} m;
	kern_return_t code =
	    mach_msg(&m.header, MACH_RCV_MSG | (ms ? MACH_RCV_TIMEOUT : 0), 0, sizeof(m),
		     from.get(), ms.value_or(MACH_MSG_TIMEOUT_NONE), MACH_PORT_NULL);
	if (code == MACH_RCV_TIMED_OUT)
		return std::nullopt;
	check("receive", code);
	return m.payload;
}

} // namespace ipc

int main()
{
	ipc::receive_right port;
	ipc::send_right to(port);
	std::atomic<int> total{0};

	std::thread adder([&] {
		while (auto value = ipc::receive<int>(port)) {
			if (*value < 0)
				break;
			total += *value;
		}
	});
	for (int i = 1; i <= 1000; i++)
		ipc::send(to, i);
	ipc::send(to, -1);
	adder.join();
	if (total != 500500 || ipc::receive<int>(port, 1))
		return 1;

	std::vector<ipc::receive_right> ports(4);
	std::vector<std::thread> threads;
	for (auto &each : ports)
		threads.emplace_back([&each] { ipc::receive<int>(each); });
	for (auto &each : ports)
		ipc::send(ipc::send_right(each), 1);
	for (auto &thread : threads)
		thread.join();

	try {
		ipc::send(ipc::send_right(mach_port_t{0xabc00}), 1);
		return 1;
	} catch (const ipc::error &wrong) {
		if (wrong.code != MACH_SEND_INVALID_DEST)
			return 1;
	}
	std::puts("rights: done");
}
