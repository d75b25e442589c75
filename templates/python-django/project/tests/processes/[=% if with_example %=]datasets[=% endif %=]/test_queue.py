"""The queue of profiles."""

from tests.processes.conftest import Deployment


def test_profiles_are_in_the_queue_that_the_environment_names(deployment: Deployment) -> None:
    asked = "from backend.datasets.tasks import profile_dataset as task; print(f'<{task.queue_name}>')"
    for named, queue in (("", "<default>"), ("long", "<long>")):
        with deployment.process("manage.py", "shell", "-v0", "-c", asked, PROFILE_QUEUE=named) as shell:
            assert shell.popen.wait(120) == 0
            assert queue in shell.log.read_text()
