"""Random layouts: programs of different users and of higher privilege share no addresses."""

from lib.guest import *
from lib.setid import *


def places(path, uid, setup=lambda: None):
    """Returns the addresses of stack and vDSO of a program that a process of the user executes."""
    run = Run()

    def body():
        if uid != 0:
            become(uid)
        setup()
        run.exec(path)
    pid = spawn(body)
    run.report()
    with open("/proc/%d/maps" % pid) as f:
        lines = [line.split() for line in f]
    run.end(pid)
    return {line[-1]: line[0] for line in lines if line[-1] in ("[stack]", "[vdso]")}


def differ(one, two):
    eq(sorted(one), sorted(two))
    ok(len(one) > 0, "there is a stack")
    for name in one:
        ok(one[name] != two[name], "%s is at %s in both" % (name, one[name]))


@test
def programs_of_another_user_have_another_layout():
    need_root()
    path = program(mode=0o755)
    found = [places(path, uid) for uid in (0, USER, OTHER)]
    differ(found[0], found[1])
    differ(found[0], found[2])
    differ(found[1], found[2])


@test
def a_set_id_program_has_a_new_layout_each_time():
    need_root()
    plain, secure = program("plain", mode=0o755), program("secure")
    user, root = places(plain, USER), places(plain, 0)
    first, second = places(secure, USER), places(secure, USER)
    for other in (user, root, second):
        differ(first, other)
    differ(second, user)


@test
def a_child_has_the_layout_of_its_parent():
    def tops():
        with open("/proc/self/maps") as f:
            return [line.split()[0].split("-")[1] for line in f if "[stack]" in line or "[vdso]" in line]
    mine = tops()
    ok(len(mine) > 0, "there is a stack")
    child_ok(lambda: eq(tops(), mine))


run()
