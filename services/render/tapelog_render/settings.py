"""Settings of the render service and its workers, from `TAPELOG_…` environment variables."""

from pathlib import Path

from pydantic import Field
from tapelog_chassis.addresses import SERVICE_PORTS, default_address
from tapelog_chassis.settings import ServiceSettings


class WorkerSettings(ServiceSettings):
    """What a worker process needs to know."""

    heartbeat_s: float = Field(
        default=10.0, gt=0, le=60, description="How often a worker keeps its lease; a third of the queue's ack_wait."
    )
    job_time_limit_s: float = Field(
        default=900.0, gt=0, le=14_400, description="How long one attempt of a job may take, in seconds."
    )
    job_memory_limit_mib: int = Field(
        default=2048, ge=1, le=65_536, description="Address space that a job may take in its engine, in MiB."
    )
    worker_drain_s: float = Field(
        default=20.0, ge=0, le=300, description="How long a job may finish at stop before it is given back, in seconds."
    )
    sandbox_required: bool = Field(
        default=False, description="Refuse to work where the kernel has no Landlock and seccomp to confine the engine."
    )
    scratch_dir: Path | None = Field(
        default=None, description="Folder for files in the making; empty means `scratch` in the data folder."
    )

    node_cache_dir: Path | None = Field(
        default=None,
        description="Folder of signals inside mixes, shared by the workers of a host; empty means `nodes` in the "
        "data folder.",
    )
    node_cache_mib: int = Field(
        default=4096, ge=0, le=1_048_576, description="Size of that folder, in MiB; 0 renders everything anew."
    )

    parent_pid: int = Field(
        default=0, ge=0, description="Process with which a worker ends, set by a service that spawns it; 0 for none."
    )

    @property
    def scratch_root(self) -> Path:
        """Folder in which each worker has a folder of its own."""
        return self.scratch_dir or self.data_dir / "scratch"

    @property
    def node_cache_at(self) -> Path | None:
        """Where signals inside mixes are kept, or None."""
        return (self.node_cache_dir or self.data_dir / "nodes") if self.node_cache_mib else None

    @property
    def objects_at(self) -> str:
        """Where the object store is."""
        return self.object_url or str(self.data_dir / "objects")


class RenderSettings(WorkerSettings):
    """What the render service needs to know."""

    port: int = Field(
        default=SERVICE_PORTS["render"], ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    session_address: str = Field(default=default_address("session"), description="host:port of the session service.")
    session_tls_ca: Path | None = Field(default=None, description="PEM authorities of the session service, for TLS.")
    spawn_workers: bool = Field(default=True, description="Run workers as children; False where they run on their own.")
    workers: int = Field(default=2, ge=1, le=256, description="Worker processes to run; one core each.")
    worker_nats_creds: Path | None = Field(
        default=None, description="File with the workers' own broker credentials; they may do less than the service."
    )
    queue_depth_max: int = Field(
        default=50_000, ge=1, le=500_000, description="Jobs that may wait; more are refused with a time to come back."
    )
    tenant_queue_depth_max: int = Field(
        default=20_000, ge=1, le=500_000, description="Jobs of one tenant that may wait or run; more are refused."
    )
    reuse_results: bool = Field(
        default=True, description="Serve a job that differs in nothing from one that has a result by that result."
    )
    tenant_running_max: int = Field(
        default=64, ge=1, le=1_000, description="Jobs of one tenant and class that may be worked on at a time."
    )
    job_lease_s: float = Field(
        default=30.0, gt=0, le=600, description="How long a worker may be silent before its job goes to another."
    )
    job_deliveries_max: int = Field(
        default=20, ge=1, le=1_000, description="How often a job is handed out before the queue gives it up."
    )
    tenant_quota_gib: int = Field(
        default=1024, ge=0, le=1_048_576, description="Audio that a tenant's renders may have made or measured, in GiB."
    )
    reconcile_every_s: float = Field(
        default=10.0, gt=0, le=3600, description="How often the queue is compared with the log, in seconds."
    )
    reconcile_grace_s: float = Field(
        default=5.0, ge=0, le=3600, description="Changes younger than this are left alone by the comparison."
    )
