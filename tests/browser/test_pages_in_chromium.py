"""What a person sees: the description at /docs and the page of a problem, in both languages, from one host."""

from chromium import Browser
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S_MAX = 30
WORDS = {
    "en": ("Light passes, faces don't", "The privacy budget does not cover this"),
    "ja": ("光は通し、顔は通さない", "プライバシー予算が足りません"),
}


def operations(browser: Browser) -> list[str]:
    """The paths that the page lists, once it has read the description."""

    def found(driver: object) -> list[str]:
        shown = browser.driver.find_elements(By.CSS_SELECTOR, ".opblock-summary-path")
        return [element.get_attribute("data-path") or "" for element in shown]

    return WebDriverWait(browser.driver, WAIT_S_MAX).until(found)


def test_the_docs_list_the_operations_and_nothing_goes_wrong(browser: Browser, language: str) -> None:
    browser.open("/docs")
    assert set(operations(browser)) >= {
        "/v1/datasets/{id}/queries",
        "/v1/queries/{id}",
        "/v1/budgets",
        "/v1/grants",
    }
    assert browser.driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    assert WORDS[language][0] in browser.driver.find_element(By.CSS_SELECTOR, "header.bar").text
    browser.driver.find_element(By.CSS_SELECTOR, ".opblock-post .opblock-summary-control").click()
    opened = WebDriverWait(browser.driver, WAIT_S_MAX).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".opblock.is-open .opblock-body")
    )
    assert opened[0].is_displayed()
    assert browser.complaints() == []
    asked = browser.requests()
    assert f"{browser.server.url}/openapi.json" in asked
    assert [url for url in asked if not url.startswith(f"{browser.server.url}/")] == []


def test_a_problem_explains_itself_in_the_readers_language(browser: Browser, language: str) -> None:
    browser.open("/problems/budget-exhausted")
    assert browser.driver.find_element(By.TAG_NAME, "h1").text == WORDS[language][1]
    assert "HTTP 403" in browser.driver.find_element(By.TAG_NAME, "main").text
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith(f"{browser.server.url}/")] == []


def test_a_question_can_be_tried_from_the_page(browser: Browser, language: str) -> None:
    browser.open("/docs")
    operations(browser)
    wait = WebDriverWait(browser.driver, WAIT_S_MAX)

    def click(selector: str) -> None:
        element = wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))
        browser.driver.execute_script("arguments[0].click()", element)

    def write(selector: str, text: str) -> None:
        wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector)).send_keys(text, Keys.TAB)

    click(".authorize")
    write(".auth-container input", browser.server.town.keys["aoi"])
    click(".auth-btn-wrapper .authorize")
    click(".auth-btn-wrapper .btn-done")
    click(".opblock-post .opblock-summary-control")
    click(".opblock-post .try-out__btn")
    write(".opblock-post tr[data-param-name=id] input", "residents")
    click(".opblock-post .execute")
    status = wait.until(
        lambda driver: driver.find_element(
            By.CSS_SELECTOR, ".live-responses-table tbody .response-col_status"
        )
    )
    assert status.text.startswith("200")
    assert browser.complaints() == []
