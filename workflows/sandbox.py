"""How workflow code is run: in Temporal's sandbox, which is asked as little as possible.

For each payload of each task the SDK asks the workflow several times in which context the payload is converted and
stored, and each time the sandbox is entered for the answer: a seventh of what a worker's loop does. Our converters
give the same in every context, and no payload is stored elsewhere.
"""

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info


class Sandbox(SandboxedWorkflowRunner):
    """Temporal's sandbox, for converters that know no context."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One run of a workflow, in a sandbox of its own."""
        return _WithoutContext(super().create_instance(det))


class _WithoutContext(WorkflowInstance):
    """A run whose payloads are the same in every context."""

    def __init__(self, run: WorkflowInstance) -> None:
        self._run = run

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._run.activate(act)

    def get_serialization_context(self, command_info: object) -> None:  # noqa: ARG002 - the SDK's
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:  # noqa: ARG002 - the SDK's
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._run.get_info()

    def get_thread_id(self) -> int | None:
        return self._run.get_thread_id()
