"""/sdapi/v1: the routes an extension meets, with the host's handling of script arguments."""

from __future__ import annotations

from contextlib import closing
from secrets import compare_digest

import gradio as gr
from fastapi import Depends, FastAPI
from fastapi.exceptions import HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from modules import (
    infotext_utils,
    progress,
    scripts,
    sd_samplers,
    shared,
    ui,
)
from modules.api import models
from modules.api.encoding import decode_base64_to_image, encode_pil_to_base64
from modules.api.errors import api_middleware
from modules.api.listing import Listing
from modules.processing import (
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
    process_images,
)
from modules.shared import opts


def script_name_to_index(name: str, scripts: list) -> int:
    """Where the script with this title is; any failure is a 422."""
    try:
        return [script.title().lower() for script in scripts].index(name.lower())
    except Exception as e:
        raise HTTPException(status_code=422, detail=f"Script '{name}' not found") from e


def validate_sampler_name(name: str) -> str:
    """The name, or a 400."""
    if sd_samplers.all_samplers_map.get(name) is None:
        raise HTTPException(status_code=400, detail="Sampler not found")
    return name


class Api(Listing):
    """Registers the routes on a FastAPI app."""

    def __init__(self, app: FastAPI, queue_lock: object) -> None:
        self.credentials: dict[str, str] = {}
        for pair in (shared.cmd_opts.api_auth or "").split(","):
            user, colon, password = pair.partition(":")
            if colon:
                self.credentials[user] = password
        self.app = app
        self.queue_lock = queue_lock
        api_middleware(app)
        self._add_routes()
        txt2img, img2img = scripts.scripts_txt2img, scripts.scripts_img2img
        if not txt2img.scripts or not img2img.scripts:
            ui.create_ui()
        self.default_script_arg_txt2img = self.init_default_script_args(txt2img)
        self.default_script_arg_img2img = self.init_default_script_args(img2img)

    def _add_routes(self) -> None:
        for path, endpoint, method, answer in (
            ("txt2img", self.text2imgapi, "POST", models.TextToImageResponse),
            ("img2img", self.img2imgapi, "POST", models.ImageToImageResponse),
            ("png-info", self.pnginfoapi, "POST", models.PNGInfoResponse),
            ("progress", self.progressapi, "GET", models.ProgressResponse),
            ("interrupt", self.interruptapi, "POST", None),
            ("skip", self.skip, "POST", None),
            ("options", self.get_config, "GET", None),
            ("options", self.set_config, "POST", None),
            ("cmd-flags", self.get_cmd_flags, "GET", None),
            ("samplers", self.get_samplers, "GET", list[models.SamplerItem]),
            ("schedulers", self.get_schedulers, "GET", list[models.SchedulerItem]),
            ("upscalers", self.get_upscalers, "GET", None),
            ("latent-upscale-modes", self.get_latent_upscale_modes, "GET", None),
            ("sd-models", self.get_sd_models, "GET", list[models.SDModelItem]),
            ("scripts", self.get_scripts_list, "GET", models.ScriptsList),
            ("script-info", self.get_script_info, "GET", list[models.ScriptInfo]),
        ):
            self.add_api_route(
                f"/sdapi/v1/{path}", endpoint, methods=[method], response_model=answer
            )

    def add_api_route(self, path: str, endpoint: object, **kwargs: object) -> None:
        """Adds a route, behind a password if `--api-auth` was given."""
        if shared.cmd_opts.api_auth:
            kwargs["dependencies"] = [Depends(self.auth)]
        self.app.add_api_route(path, endpoint, **kwargs)

    def auth(self, credentials: HTTPBasicCredentials = Depends(HTTPBasic())) -> bool:  # noqa: B008
        """Checks user and password."""
        known = self.credentials.get(credentials.username)
        if known is not None and compare_digest(credentials.password, known):
            return True
        raise HTTPException(
            status_code=401,
            detail="Incorrect username or password",
            headers={"WWW-Authenticate": "Basic"},
        )

    def get_selectable_script(self, script_name: str | None, script_runner: object) -> tuple:
        """(script, its index) of the drop-down, or (None, None)."""
        if not script_name:
            return None, None
        index = script_name_to_index(script_name, script_runner.selectable_scripts)
        return script_runner.selectable_scripts[index], index

    def get_script(self, script_name: str, script_runner: object) -> object:
        """Any script by title."""
        return script_runner.scripts[script_name_to_index(script_name, script_runner.scripts)]

    def init_default_script_args(self, script_runner: object) -> list:
        """Values of all components. As in the host every `ui()` is called twice more, in a page
        that is thrown away, and the second call's values count."""
        count = max([1, *(s.args_to for s in script_runner.scripts)])
        script_args: list = [None] * count
        script_args[0] = 0
        with gr.Blocks():
            for script in script_runner.scripts:
                if script.ui(script.is_img2img):
                    values = [c.value for c in script.ui(script.is_img2img)]
                    script_args[script.args_from : script.args_to] = values
        return script_args

    def init_script_args(
        self,
        request: object,
        default_script_args: list,
        selectable_scripts: object,
        selectable_idx: int | None,
        script_runner: object,
        *,
        input_script_args: dict[int, object] | None = None,
    ) -> list:
        """The values for this request: defaults, then infotext, then what it says itself."""
        script_args = default_script_args.copy()
        for index, value in (input_script_args or {}).items():
            script_args[index] = value
        if selectable_scripts:
            part = slice(selectable_scripts.args_from, selectable_scripts.args_to)
            script_args[part] = request.script_args
            script_args[0] = selectable_idx + 1
        for name, given in (request.alwayson_scripts or {}).items():
            script = self.get_script(name, script_runner)
            if script.alwayson is False:
                detail = "Cannot have a selectable script in the always on scripts params"
                raise HTTPException(status_code=422, detail=detail)
            if "args" not in given:
                continue
            room = script.args_to - script.args_from
            for i in range(min(room, len(given["args"]))):
                script_args[script.args_from + i] = given["args"][i]
        return script_args

    def apply_infotext(
        self,
        request: object,
        tabname: str,
        *,
        script_runner: object = None,
        mentioned_script_args: dict[int, object] | None = None,
    ) -> dict:
        """Fills in what the request leaves open from its `infotext`."""
        if not request.infotext:
            return {}
        fields = infotext_utils.paste_fields[tabname]["fields"]
        already = request.dict(exclude_unset=True)
        params = infotext_utils.parse_generation_parameters(request.infotext)
        for field in fields:
            if not field.api or field.api in already:
                continue
            value = self._field_value(field, params, request)
            if value is not None:
                setattr(request, field.api, value)
        request.override_settings = request.override_settings or {}
        for _, setting, value in infotext_utils.get_override_settings(params):
            request.override_settings.setdefault(setting, value)
        if script_runner is not None and mentioned_script_args is not None:
            index = {id(component): i for i, component in enumerate(script_runner.inputs)}
            for field in fields:
                value = self._field_value(field, params, request)
                if id(field.component) in index and value is not None:
                    mentioned_script_args[index[id(field.component)]] = value
        return params

    @staticmethod
    def _field_value(field: infotext_utils.PasteField, params: dict, request: object) -> object:
        value = field.function(params) if field.function else params.get(field.label)
        if field.api in request.__fields__:
            kind = request.__fields__[field.api].type_
        else:
            kind = type(getattr(field.component, "value", None))
        if value is None or kind is type(None):
            return None
        if isinstance(value, dict) and value.get("__type__") == "generic_update":
            value = value.get("value")
        return value if value is None or isinstance(value, kind) else kind(value)

    def _prepare(self, request: object, tab: str, runner: object, defaults: list) -> tuple:
        """(fields for the processing object, script args, script, send pictures, task id)."""
        task_id = request.force_task_id or progress.create_task_id(tab)
        from_infotext: dict[int, object] = {}
        self.apply_infotext(request, tab, script_runner=runner, mentioned_script_args=from_infotext)
        script, index = self.get_selectable_script(request.script_name, runner)
        name = request.sampler_name or request.sampler_index
        sampler, scheduler = sd_samplers.get_sampler_and_scheduler(name, request.scheduler)
        args = dict(vars(request))
        args["sampler_name"] = validate_sampler_name(sampler)
        args["do_not_save_samples"] = args["do_not_save_grid"] = not request.save_images
        args["sampler_index"] = None
        if not args["scheduler"] and scheduler != "Automatic":
            args["scheduler"] = scheduler
        for key in ("script_name", "script_args", "alwayson_scripts", "infotext", "save_images"):
            args.pop(key, None)
        args.pop("include_init_images", None)
        script_args = self.init_script_args(
            request, defaults, script, index, runner, input_script_args=from_infotext
        )
        send_images = args.pop("send_images", True)
        progress.add_task_to_queue(task_id)
        return args, script_args, script, send_images, task_id

    def _run(self, p: object, tab: str, runner: object, script: object, prepared: tuple) -> object:
        """Runs a job, as the page does but for the setup of the page's own parts."""
        script_args, task_id = prepared
        p.is_api = True
        p.scripts = runner
        p.outpath_grids = getattr(opts, f"outdir_{tab}_grids")
        p.outpath_samples = getattr(opts, f"outdir_{tab}_samples")
        try:
            shared.state.begin(job=f"scripts_{tab}")
            progress.start_task(task_id)
            if script is not None:
                p.script_args = script_args
                processed = runner.run(p, *p.script_args)
            else:
                p.script_args = tuple(script_args)
                processed = process_images(p)
            progress.finish_task(task_id)
        finally:
            shared.state.end()
            shared.total_tqdm.clear()
        return processed

    def text2imgapi(
        self, txt2imgreq: models.StableDiffusionTxt2ImgProcessingAPI
    ) -> models.TextToImageResponse:
        """POST txt2img."""
        runner = scripts.scripts_txt2img
        args, script_args, script, send, task_id = self._prepare(
            txt2imgreq, "txt2img", runner, self.default_script_arg_txt2img
        )
        with (
            self.queue_lock,
            closing(StableDiffusionProcessingTxt2Img(sd_model=shared.sd_model, **args)) as p,
        ):
            processed = self._run(p, "txt2img", runner, script, (script_args, task_id))
        pictures = [encode_pil_to_base64(x) for x in processed.images] if send else []
        return models.TextToImageResponse(
            images=pictures, parameters=vars(txt2imgreq), info=processed.js()
        )

    def img2imgapi(
        self, img2imgreq: models.StableDiffusionImg2ImgProcessingAPI
    ) -> models.ImageToImageResponse:
        """POST img2img."""
        init_images = img2imgreq.init_images
        if init_images is None:
            raise HTTPException(status_code=404, detail="Init image not found")
        mask = decode_base64_to_image(img2imgreq.mask) if img2imgreq.mask else img2imgreq.mask
        runner = scripts.scripts_img2img
        args, script_args, script, send, task_id = self._prepare(
            img2imgreq, "img2img", runner, self.default_script_arg_img2img
        )
        args["mask"] = mask
        with (
            self.queue_lock,
            closing(StableDiffusionProcessingImg2Img(sd_model=shared.sd_model, **args)) as p,
        ):
            p.init_images = [decode_base64_to_image(x) for x in init_images]
            processed = self._run(p, "img2img", runner, script, (script_args, task_id))
        pictures = [encode_pil_to_base64(x) for x in processed.images] if send else []
        if not img2imgreq.include_init_images:
            img2imgreq.init_images = img2imgreq.mask = None
        return models.ImageToImageResponse(
            images=pictures, parameters=vars(img2imgreq), info=processed.js()
        )
