// Gallery, tabs, jobs: what the page's events call by name.

function set_theme(theme) {
    if (!window.location.href.includes('?__theme=')) {
        window.location.replace(window.location.href + '?__theme=' + theme);
    }
}

function all_gallery_buttons() {
    const selector = '[style="display: block;"].tabitem div[id$=_gallery].gradio-gallery ' +
        '.thumbnails > .thumbnail-item.thumbnail-small';
    return Array.from(gradioApp().querySelectorAll(selector))
        .filter((button) => button.parentElement.offsetParent);
}

function selected_gallery_button() {
    return all_gallery_buttons().find((b) => b.classList.contains('selected')) ?? null;
}

function selected_gallery_index() {
    return all_gallery_buttons().findIndex((b) => b.classList.contains('selected'));
}

function gallery_container_buttons(id) {
    return gradioApp().querySelectorAll('#' + id + ' .thumbnail-item.thumbnail-small');
}

function selected_gallery_index_id(id) {
    return Array.from(gallery_container_buttons(id))
        .findIndex((b) => b.classList.contains('selected'));
}

function extract_image_from_gallery(gallery) {
    if (!gallery || gallery.length === 0) return [null];
    const index = selected_gallery_index();
    return [gallery[index in gallery ? index : 0]];
}

window.args_to_array = Array.from;

// Simulates typing: else Gradio does not see a changed value.
function updateInput(target) {
    target.dispatchEvent(new Event('input', {bubbles: true}));
}

function clickTab(number) {
    gradioApp().querySelectorAll('#tabs > .tab-nav > button')[number].click();
}

function switch_to_txt2img() {
    clickTab(0);
    return Array.from(arguments);
}

function switch_to_img2img() {
    clickTab(1);
    gradioApp().querySelectorAll('#mode_img2img > .tab-nav > button')[0].click();
    return Array.from(arguments);
}

function switch_to_inpaint() {
    clickTab(1);
    gradioApp().querySelectorAll('#mode_img2img > .tab-nav > button')[1].click();
    return Array.from(arguments);
}

function get_tab_index(id) {
    const buttons = gradioApp().querySelectorAll('#' + id + ' > .tab-nav > button');
    return Math.max(0, Array.from(buttons).findIndex((b) => b.classList.contains('selected')));
}

function create_submit_args(args) {
    const res = Array.from(args);
    // Gradio sends the outputs back too; the old gallery is not needed
    if (Array.isArray(res[res.length - 3])) res[res.length - 3] = null;
    return res;
}

function showSubmitButtons(tab, idle, interrupting = false) {
    const show = (name, shown) => {
        gradioApp().getElementById(tab + '_' + name).style.display = shown ? 'block' : 'none';
    };
    show('interrupt', !idle && !interrupting);
    show('skip', !idle);
    show('interrupting', interrupting);
}

function showSubmitInterruptingPlaceholder(tab) {
    showSubmitButtons(tab, false, true);
}

function startJob(tab, args) {
    showSubmitButtons(tab, false);
    const id = randomId();
    const find = (suffix) => gradioApp().getElementById(tab + suffix);
    requestProgress(id, find('_gallery_container'), find('_gallery'), () => {
        showSubmitButtons(tab, true);
    });
    const res = create_submit_args(args);
    res[0] = id;
    return res;
}

function submit() {
    return startJob('txt2img', arguments);
}

function submit_txt2img_upscale() {
    const res = startJob('txt2img', arguments);
    res[2] = selected_gallery_index();
    return res;
}

function submit_img2img() {
    const res = startJob('img2img', arguments);
    res[1] = get_tab_index('mode_img2img') === 1 ? 2 : 0;
    return res;
}

function setRandomSeed(id) {
    const input = gradioApp().querySelector('#' + id + ' input');
    if (input) {
        input.value = '-1';
        updateInput(input);
    }
    return [];
}

function switchWidthHeight(tab) {
    const find = (name) => gradioApp().querySelector(`#${tab}_${name} input[type=number]`);
    const width = find('width');
    const height = find('height');
    [width.value, height.value] = [height.value, width.value];
    updateInput(width);
    updateInput(height);
    return [];
}

function restart_reload() {
    document.body.innerHTML = '<h1 id="reloading">Reloading...</h1>';
    const ping = () => fetch('./internal/ping').then(
        (answer) => (answer.ok ? location.reload() : setTimeout(ping, 500)),
        () => setTimeout(ping, 500)
    );
    setTimeout(ping, 2000);
    return [];
}

onAfterUiUpdate(function() {
    if (Object.keys(opts).length) return;
    const textarea = gradioApp().querySelector('#settings_json textarea');
    if (!textarea || !textarea.value) return;
    opts = JSON.parse(textarea.value);
    executeCallbacks(optionsAvailableCallbacks);
    executeCallbacks(optionsChangedCallbacks);
});

// The text below the pictures follows the selected picture.
onUiLoaded(function() {
    for (const tab of ['txt2img', 'img2img']) {
        const refresh = () => gradioApp().getElementById(tab + '_generation_info_button').click();
        const gallery = gradioApp().getElementById(tab + '_gallery');
        gallery.addEventListener('click', refresh);
        gallery.addEventListener('keydown', (e) => {
            if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') refresh();
        });
    }
});

// Tooltips that components were given in Python.
onUiLoaded(function() {
    for (const {props} of window.gradio_config.components) {
        if (!props.webui_tooltip || !props.elem_id) continue;
        const node = gradioApp().getElementById(props.elem_id);
        if (node) node.title = props.webui_tooltip;
    }
});
